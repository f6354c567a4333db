"""Pages that need no network, from executed notebooks and from what they recorded.

- ``frame``: what all pages share: navigation, title, footer, style, and the policy that keeps a page off the network
- ``table``: numbers and tables as pages show them
- ``markdown``: Markdown and formulas as HTML
- ``cells``: what of a notebook's cells a reader gets to see
- ``notebook``: an executed notebook as a page
- ``words``: what a reader must know beside a verdict
- ``tables``: what a study holds, as tables
- ``index``: the opening page
- ``audit``: the audit of a collection as text, CSV or page
"""
