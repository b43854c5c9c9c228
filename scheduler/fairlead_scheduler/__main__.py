"""``python -m fairlead_scheduler``."""

import sys

from fairlead_scheduler.main import main

sys.exit(main())
