// What tests/report/test_page_in_browser.py asks of a page: each gives a list of what is wrong, or of what is there.
const looking = {
  outside: () => [...document.querySelectorAll('main p, main li, main figure, main h2, main dl, main .scroll, main pre')].filter(e => {
  const r = e.getBoundingClientRect(); return r.width > 0 && (r.right > innerWidth + 1 || r.left < -1); }).map(e => e.outerHTML.slice(0, 80)),
  figures: () => (() => { document.querySelectorAll('details').forEach(d => d.open = true);
  return [...document.querySelectorAll('figure.chart')].map(f => {
  const svg = f.querySelector('.plot > svg'), text = svg.querySelector('text.tick');
  return {name: f.dataset.name, marks: svg.querySelectorAll('.marks path').length, alt: svg.getAttribute('aria-label'),
    caption: f.querySelector('figcaption').textContent,
    text: f.drawing ? 12 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 12}; }); })(),
  // WCAG 2.2, 1.4.3: text below a contrast of 4.5 with its ground.
  contrast: () => (() => {
  const numbers = c => (c.match(/[\d.]+/g) || []).map(Number);
  const light = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) if (c.length) return c.slice(0, 3); } return [255, 255, 255]; };
  const found = new Set();
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length) continue;
    if (e.closest('script, style')) continue;
    const style = getComputedStyle(e), ink = numbers(e instanceof SVGElement ? style.fill : style.color).slice(0, 3);
    const a = light(ink), b = light(ground(e)), ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) found.add(`${e.tagName} ${e.className.baseVal ?? e.className} ${ratio.toFixed(2)}`);
  }
  return [...found];
})(),
  // The rules of axe-core that apply to a page of text, tables and figures (https://dequeuniversity.com/rules/axe).
  rules: () => (() => {
  const wrong = [], all = s => [...document.querySelectorAll(s)], say = (rule, e) => wrong.push(rule + ': ' + (e ? e.outerHTML.slice(0, 90) : ''));
  if (!document.documentElement.lang) say('html-has-lang');
  if (!document.title.trim()) say('document-title');
  for (const one of ['main', 'header', 'nav', 'footer', 'h1']) if (all(one).length !== 1) say('landmark-one-' + one);
  const ids = all('[id]').map(e => e.id); for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) say('duplicate-id ' + id);
  for (const e of all('[aria-labelledby], [aria-describedby]')) for (const id of (e.getAttribute('aria-labelledby') || e.getAttribute('aria-describedby')).split(' '))
    if (!document.getElementById(id)) say('aria-valid-attr-value', e);
  for (const e of all('nav a, .skip')) if (!document.querySelector(e.getAttribute('href'))) say('skip-link', e);
  let last = 1; for (const h of all('h1, h2, h3, h4')) { const n = Number(h.tagName[1]); if (n > last + 1) say('heading-order', h); if (!h.textContent.trim()) say('empty-heading', h); last = n; }
  for (const t of all('table')) { if (!t.querySelector('th[scope=col]')) say('table-scope', t); if ([...t.querySelectorAll('th')].some(h => !h.scope)) say('th-scope', t);
    for (const h of t.querySelectorAll('thead th')) if (!h.textContent.trim()) say('empty-table-header', h); }
  for (const b of all('button, a, summary')) if (!(b.getAttribute('aria-label') || b.textContent).trim()) say('name', b);
  for (const s of all('svg')) if (!(s.getAttribute('role') === 'img' && (s.getAttribute('aria-label') || '').trim()) && s.getAttribute('aria-hidden') !== 'true') say('svg-img-alt', s);
  for (const e of all('.scroll, .math, pre')) if (e.tabIndex !== 0) say('scrollable-region-focusable', e);
  for (const e of all('[tabindex]')) if (e.tabIndex > 0) say('tabindex', e);
  for (const e of all('[role=group]')) if (!(e.getAttribute('aria-label') || '').trim()) say('aria-name', e);
  for (const b of all('button')) { const r = b.getBoundingClientRect(); if (r.height && r.height < 23.5) say('target-size ' + r.height, b); }
  if (all('li').some(e => !['UL', 'OL'].includes(e.parentElement.tagName))) say('listitem');
  return wrong;
})(),
};
