"""Pages that need no network, from executed notebooks and from what they recorded.

- ``frame``: what all pages share: navigation, title, footer, style, and the policy that keeps a page off the network
- ``table``: rows of texts and numbers as a table
- ``markdown``: Markdown and formulas as HTML
- ``notebook``: an executed notebook as a page, and what of its cells a reader gets to see
- ``words``: every sentence on claims and on the opening page
- ``remarks``: what notebook pages say beside their tables and figures
- ``tables``: what a study holds, as tables
- ``index``: the opening page
- ``audit``: the audit of a collection as text, CSV or page
"""
