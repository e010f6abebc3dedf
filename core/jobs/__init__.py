"""When and where a verb runs: the queue, its rows, and the engines that carry it."""
