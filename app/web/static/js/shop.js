/* Completions under the shop's search box; without this script the box is a plain form. */
(function () {
  'use strict';
  var box = document.getElementById('store-q');
  if (!box || !window.fetch) { return; }
  var list = document.createElement('div'), timer = 0, asked = '';
  list.className = 'sugg';
  list.id = 'store-sugg';
  list.setAttribute('role', 'group');
  list.setAttribute('aria-label', '搜索建议');
  box.parentNode.appendChild(list);

  function clear() { while (list.firstChild) { list.removeChild(list.firstChild); } }

  function show(words) {
    clear();
    words.forEach(function (word) {
      var link = document.createElement('a');
      link.href = '/search?q=' + encodeURIComponent(word);
      link.textContent = word;
      list.appendChild(link);
    });
  }

  function ask() {
    var text = box.value.trim();
    if (text === asked) { return; }
    asked = text;
    if (!text) { clear(); return; }
    fetch('/search/suggest?q=' + encodeURIComponent(text), { headers: { Accept: 'application/json' } })
      .then(function (answer) { return answer.ok ? answer.json() : { suggestions: [] }; })
      .then(function (found) { if (text === asked) { show(found.suggestions); } })
      .catch(clear);
  }

  function step(from, by) {
    var links = Array.prototype.slice.call(list.querySelectorAll('a')), to = links.indexOf(from) + by;
    if (to < 0) { box.focus(); } else if (links[to]) { links[to].focus(); }
  }

  box.addEventListener('input', function () { window.clearTimeout(timer); timer = window.setTimeout(ask, 180); });
  box.parentNode.addEventListener('keydown', function (e) {
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      if (list.firstChild) { e.preventDefault(); step(document.activeElement, e.key === 'ArrowDown' ? 1 : -1); }
    } else if (e.key === 'Escape') { clear(); asked = ''; box.focus(); }
  });
  document.addEventListener('click', function (e) { if (!box.parentNode.contains(e.target)) { clear(); asked = ''; } });
}());
