"""Estimators around another that answer as a plainer model does: the plainer model is converted, and compared with the original."""

from core.libraries.sklearn import Estimator


def simplified(model: Estimator) -> Estimator:
    """Return the model with each wrapper, at any depth of pipelines and ensembles, replaced by what it does."""
    from sklearn.ensemble import VotingClassifier, VotingRegressor
    from sklearn.feature_selection import RFE, SelectorMixin
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.semi_supervised import SelfTrainingClassifier

    if isinstance(model, Pipeline):
        model.steps = [(name, simplified(step)) for name, step in model.steps]
        return model
    if isinstance(model, SelfTrainingClassifier):
        return simplified(model.estimator_)
    if isinstance(model, RFE) and hasattr(model.estimator_, "predict"):
        return make_pipeline(_chosen(model), simplified(model.estimator_))
    if isinstance(model, SelectorMixin):
        return _chosen(model)
    if isinstance(model, VotingClassifier | VotingRegressor):
        model.estimators_ = [simplified(voter) for voter in model.estimators_]
        return model
    return _inside_target(model)


def _chosen(selector: Estimator) -> Estimator:
    """Return a selector that keeps the same columns and needs no score."""
    from sklearn.feature_selection import VarianceThreshold

    found = VarianceThreshold()
    found.variances_ = selector.get_support().astype(float)
    found.n_features_in_ = len(found.variances_)
    return found


def _inside_target(model: Estimator) -> Estimator:
    """Return the regressor of a transformed target that is not transformed."""
    from sklearn.compose import TransformedTargetRegressor

    if not isinstance(model, TransformedTargetRegressor):
        return model
    plain = model.transformer is None and model.func is None and model.inverse_func is None
    return simplified(model.regressor_) if plain else model
