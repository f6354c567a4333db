"""Pages as a hurried reader and a screen reader meet them: paragraphs full of numbers, and faults that axe would name."""

import re

from bs4 import BeautifulSoup

NUMBER = re.compile(r"(?<![\w.])[−+]?\d[\d,]*(?:\.\d+)?")
MOST = 5  # numbers that a paragraph quotes
PARAGRAPHS = ["p", "li", "dd", "figcaption", "summary", "h1", "h2", "h3"]

# What is wrong on the page as it is drawn, by the names of axe's rules where it has one.
FAULTS = """() => {
  const faults = [], told = e => e.outerHTML.slice(0, 90), all = query => [...document.querySelectorAll(query)];
  const twice = (rule, keys) => keys.filter((key, place) => keys.indexOf(key) < place).forEach(key => faults.push([rule, key]));
  const label = e => e.getAttribute('aria-label') || (document.getElementById(e.getAttribute('aria-labelledby')) || {}).textContent || '';
  twice('landmark-unique', all('nav, main, body > header, body > footer, section[aria-label], section[aria-labelledby], [role=region]')
    .map(e => (e.getAttribute('role') || e.tagName) + ' ' + label(e)));
  twice('duplicate-id', all('[id]').filter(e => !e.closest('svg')).map(e => e.id));
  const scrolls = all('main *').filter(e => e.offsetWidth && e.scrollWidth > e.clientWidth + 1
    && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX));
  const stops = e => e.tabIndex >= 0 || [...e.querySelectorAll('a, button, input, audio, [tabindex="0"]')].length;
  scrolls.filter(e => !stops(e)).forEach(e => faults.push(['scrollable-region-focusable', told(e)]));
  scrolls.filter(e => scrolls.some(other => other !== e && other.contains(e))).forEach(e => faults.push(['scrolls within', told(e)]));
  all('th').filter(e => !e.textContent.trim()).forEach(e => faults.push(['empty-table-header', told(e.closest('table'))]));
  all('button, summary, a, [role=slider], [role=group], audio[controls], img:not([alt=""]), svg[role=img]')
    .filter(e => !(label(e) || e.textContent.trim() || e.alt)).forEach(e => faults.push(['has no name', told(e)]));
  const levels = all('h1, h2, h3, h4').map(e => Number(e.tagName[1]));
  levels.forEach((level, place) => { if (level > (levels[place - 1] || 0) + 1) faults.push(['heading-order', place + ': h' + level]); });
  return faults; }"""

# Opens what is folded, and waits until the page has seen it.
OPENED = """() => new Promise(done => {
  document.querySelectorAll('details').forEach(d => { d.open = true; });
  requestAnimationFrame(() => requestAnimationFrame(() => done())); })"""
# Elements whose own text has less than 4.5:1 on its ground, by the WCAG 2 formula.
POOR_CONTRAST = """() => {
  const rgb = c => c.match(/[\\d.]+/g).map(Number);
  const linear = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => { const [r, g, b] = rgb(c).map(linear);
                       return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
                        if (rgb(c).length === 3) return c; } return 'rgb(255,255,255)'; };
  return [...document.querySelectorAll('body *')].filter(e => e.offsetWidth
      && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && getComputedStyle(e).opacity === '1')
    .map(e => { const a = light(getComputedStyle(e).color), b = light(ground(e));
                return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.outerHTML.slice(0, 90)]; })
    .filter(([ratio]) => ratio < 4.5); }"""


def walls(html: str) -> list[str]:
    """The paragraphs that quote more than ``MOST`` numbers; tables, code and the footer may."""
    soup = BeautifulSoup(html, "html.parser")
    for one in soup.find_all(["table", "pre", "svg", "math", "footer", "script", "style"]):
        one.extract()
    texts = [" ".join(one.get_text(" ").split()) for one in soup.find_all(PARAGRAPHS) if not one.find(PARAGRAPHS)]
    return [text for text in texts if len(NUMBER.findall(text)) > MOST]
