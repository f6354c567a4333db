"""Everything a reader sees, and the only room that imports matplotlib:

``numbers``   numbers and lists as text
``figures``   every figure of the study
``explorer``  sound with pictures under a moving cursor
``pages``     pages that need no network
``run``       the study's notebooks, executed and rendered
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # jsonschema would take 1.3 s to make grammars of web addresses, for notebooks without any
