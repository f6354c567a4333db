"""Everything a reader sees, and the only room that imports matplotlib:

``numbers``   numbers and lists as text
``figures``   every figure of the study
``explorer``  sound with pictures under a moving cursor
``pages``     pages that need no network
``run``       the study's notebooks, executed and rendered
"""
