"""A library that starts a thread when it is imported, which the jail would not hold."""

import threading
import time

threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
