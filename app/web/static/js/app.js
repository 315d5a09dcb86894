/* Page behaviour. Pages work without it; written for Chromium 81 and later. */
(function () {
  'use strict';
  var doc = document, root = doc.documentElement, lastFocus = null, dirty = null;
  root.classList.add('js');

  function each(list, fn) { Array.prototype.forEach.call(list, fn); }
  function all(selector, from) { return (from || doc).querySelectorAll(selector); }
  function up(node, selector) { return node && node.closest ? node.closest(selector) : null; }
  function say(text) { var live = doc.getElementById('live'); if (live) { live.textContent = text; } }
  function store(name, value) {
    try { if (value === undefined) { return localStorage.getItem(name); } localStorage.setItem(name, value); } catch (e) { return null; }
    return value;
  }

  /* toasts */
  function toast(text, tone) {
    var box = doc.getElementById('toasts'), item = doc.createElement('div'), span = doc.createElement('span'), x = doc.createElement('button');
    if (!box) { return; }
    item.className = 'toast toast--' + (tone || 'info');
    span.textContent = text;
    x.type = 'button'; x.className = 'toast__x'; x.textContent = '×'; x.setAttribute('aria-label', '关闭提示'); x.setAttribute('data-dismiss', '');
    item.appendChild(span); item.appendChild(x); box.appendChild(item);
    setTimeout(function () { if (item.parentNode) { item.remove(); } }, tone === 'bad' ? 12000 : 6000);
  }
  doc.addEventListener('toast', function (e) { toast(e.detail.text || e.detail.value, e.detail.tone); });

  /* drawers and dialogs */
  function open(box) {
    if (!box || box.open) { return; }
    lastFocus = doc.activeElement;
    if (box.showModal) { box.showModal(); } else { box.setAttribute('open', ''); }
    var head = box.querySelector('h2');
    if (head) { head.focus(); }
  }
  function close(box) {
    if (!box) { return; }
    if (box.close && box.open) { box.close(); } else { box.removeAttribute('open'); done(box); }
  }
  function done(box) {
    if (box.id === 'drawer') { box.textContent = ''; }
    if (lastFocus && doc.contains(lastFocus)) { lastFocus.focus(); }
    lastFocus = null;
  }
  doc.addEventListener('close', function (e) { if (e.target.tagName === 'DIALOG') { done(e.target); } }, true);

  /* rows of an index page */
  function bulk(form) {
    var boxes = all('tbody input[type=checkbox]', form), count = 0, bar = form.querySelector('[data-bulkbar]'), head = form.querySelector('[data-all]');
    each(boxes, function (box) {
      var row = up(box, 'tr');
      if (box.checked) { count += 1; }
      if (row) { row.classList.toggle('is-sel', box.checked); }
    });
    if (bar) { bar.hidden = !count; bar.querySelector('[data-n]').textContent = count; }
    if (head) { head.checked = count > 0 && count === boxes.length; head.indeterminate = count > 0 && count < boxes.length; }
  }

  /* files: the browser's own words follow its language, ours do not */
  function chosen(input) {
    var text = up(input, '[data-drop]').querySelector('[data-file-name]'), names = Array.prototype.map.call(input.files, function (f) { return f.name; });
    if (!text.hasAttribute('data-hint')) { text.setAttribute('data-hint', text.textContent); }
    text.textContent = names.length ? names.join('、') : text.getAttribute('data-hint');
    text.classList.toggle('is-set', names.length > 0);
  }

  /* quantity */
  function step(button) {
    var input = up(button, '[data-qty]').querySelector('input'), old = Number(input.value) || 0;
    var next = Math.min(Math.max(old + Number(button.getAttribute('data-step')), Number(input.min)), Number(input.max));
    if (next !== old) { input.value = next; input.dispatchEvent(new Event('change', { bubbles: true })); }
  }
  function limits(input) {
    var box = up(input, '[data-qty]'), value = Number(input.value);
    each(all('[data-step]', box), function (b) {
      b.disabled = Number(b.getAttribute('data-step')) < 0 ? value <= Number(input.min) : value >= Number(input.max);
    });
  }

  /* choice of a variant: one group per property, the plain list hides */
  function sku(form) {
    var axes = all('[data-axis]', form), list = all('input[name=sku_id]', form);
    if (axes.length && !form.hasAttribute('data-ready')) {
      form.setAttribute('data-ready', '');
      each(axes, function (axis) { axis.hidden = false; });
      up(list[0] || form, 'fieldset').hidden = true;
      each(list, function (input) {
        input.required = false;
        if (input.checked) { input.getAttribute('data-values').split('|').forEach(function (v, i) {
          each(all('input', axes[i]), function (r) { if (r.value === v) { r.checked = true; } });
        }); }
      });
    }
    var wanted = Array.prototype.map.call(axes, function (axis) { var c = axis.querySelector('input:checked'); return c ? c.value : null; });
    if (axes.length) {
      each(list, function (input) {
        input.checked = !input.disabled && wanted.indexOf(null) < 0 && input.getAttribute('data-values') === wanted.join('|');
      });
      each(axes, function (axis, at) {
        each(all('input', axis), function (r) {
          var can = Array.prototype.some.call(list, function (input) {
            var values = input.getAttribute('data-values').split('|');
            return !input.disabled && values[at] === r.value && wanted.every(function (w, i) { return i === at || w === null || values[i] === w; });
          });
          r.parentNode.classList.toggle('is-off', !can);
        });
      });
    }
    var chosen = form.querySelector('input[name=sku_id]:checked'), stock = form.querySelector('[data-sku-stock]'), price = form.querySelector('[data-sku-price]');
    if (chosen) {
      var parts = chosen.getAttribute('data-price').split('.');
      price.querySelector('b').textContent = parts[0];
      price.querySelector('.dec').textContent = '.' + parts[1];
      stock.textContent = '已选：' + (chosen.getAttribute('data-values').split('|').join(' · ') || chosen.parentNode.textContent.trim());
    } else if (axes.length) { stock.textContent = wanted.indexOf(null) < 0 ? '该组合暂时缺货，请换一个规格' : '请选择规格'; }
    each(all('.sku__a button', form), function (b) { b.disabled = axes.length > 0 && !chosen; });
  }

  /* polling: stops when the page is hidden, marks stale data after three misses */
  function poll(box) {
    if (box.hasAttribute('data-polling')) { return; }
    box.setAttribute('data-polling', '0');
    var wait = Math.max(Number(box.getAttribute('data-poll-seconds')) || 60, 2) * 1000;
    var timer = setInterval(function () {
      if (!doc.contains(box)) { clearInterval(timer); return; }
      if (doc.hidden) { return; }
      fetch(box.getAttribute('data-poll'), { headers: { 'HX-Request': 'true' }, credentials: 'same-origin' }).then(function (r) {
        if (!r.ok) { throw new Error(r.status); }
        return r.text();
      }).then(function (html) {
        box.setAttribute('data-polling', '0'); box.innerHTML = html; start(box);
        if (window.htmx) { window.htmx.process(box); }
        if (box.querySelector('[data-poll-stop]')) { clearInterval(timer); }
      }).catch(function () {
        var missed = Number(box.getAttribute('data-polling')) + 1;
        box.setAttribute('data-polling', missed);
        if (missed >= 3) { box.classList.add('is-stale'); each(all('[data-fresh]'), function (f) { f.classList.add('is-stale'); }); }
      });
    }, wait);
  }

  function start(from) {
    each(all('[data-bulk]', from), bulk);
    each(all('[data-sku]', from), sku);
    each(all('[data-poll]', from), poll);
    each(all('[data-print]', from), function (b) { b.hidden = false; });
    each(all('[data-speak]', from), function (b) { b.hidden = !window.speechSynthesis; });
    var first = (from || doc).querySelector('[data-autofocus]');
    if (first) { first.focus(); }
  }

  doc.addEventListener('click', function (e) {
    var t = up(e.target, '[data-clear],[data-close],[data-open],[data-dismiss],[data-step],[data-copy],[data-print],[data-speak],[data-fullscreen],[data-density-toggle],[data-contrast-toggle]');
    each(all('details.menu[open],details.navmenu[open]'), function (d) { if (!d.contains(e.target)) { d.open = false; } });
    if (e.target.tagName === 'DIALOG' && e.target.open) { close(e.target); }
    if (!t) { return; }
    if (t.hasAttribute('data-clear')) { var form = up(t, '[data-bulk]'); each(all('input[type=checkbox]', form), function (c) { c.checked = false; }); bulk(form); }
    if (t.hasAttribute('data-close')) { var box = up(t, 'dialog'); if (box) { e.preventDefault(); close(box); } else if (t.tagName === 'BUTTON') { history.back(); } }
    if (t.hasAttribute('data-open')) { var target = doc.querySelector(t.getAttribute('data-open')); if (target) { e.preventDefault(); open(target); } }
    if (t.hasAttribute('data-dismiss')) { t.parentNode.remove(); }
    if (t.hasAttribute('data-step')) { step(t); }
    if (t.hasAttribute('data-print')) { window.print(); }
    if (t.hasAttribute('data-copy') && navigator.clipboard) { navigator.clipboard.writeText(t.getAttribute('data-copy')).then(function () { toast('已复制', 'ok'); }); }
    if (t.hasAttribute('data-speak')) {
      if (speechSynthesis.speaking) { speechSynthesis.cancel(); } else { speechSynthesis.speak(new SpeechSynthesisUtterance(doc.querySelector(t.getAttribute('data-speak')).innerText)); }
    }
    if (t.hasAttribute('data-fullscreen')) { if (doc.fullscreenElement) { doc.exitFullscreen(); } else if (root.requestFullscreen) { root.requestFullscreen(); } }
    if (t.hasAttribute('data-density-toggle')) {
      var order = ['comfortable', 'standard', 'compact'], at = (order.indexOf(root.getAttribute('data-density')) + 1) % 3;
      root.setAttribute('data-density', order[at]); store('density', order[at]); say('行高：' + ['宽松', '标准', '紧凑'][at]);
    }
    if (t.hasAttribute('data-contrast-toggle')) {
      var high = root.getAttribute('data-contrast') !== 'high';
      root.setAttribute('data-contrast', high ? 'high' : 'normal'); t.setAttribute('aria-pressed', String(high)); store('contrast', high ? 'high' : 'normal');
    }
  });

  doc.addEventListener('change', function (e) {
    var t = e.target, form = up(t, '[data-bulk]'), guarded = up(t, 'form[data-guard]');
    if (form) { if (t.hasAttribute('data-all')) { each(all('tbody input[type=checkbox]', form), function (c) { c.checked = t.checked; }); } bulk(form); }
    if (up(t, '[data-qty]')) { limits(t); }
    if (up(t, '[data-sku]')) { sku(up(t, '[data-sku]')); }
    if (guarded) { dirty = guarded; }
    if (up(t, '[data-drop]')) { chosen(t); }
    if (t.hasAttribute('data-autosubmit') && t.form) { if (t.form.requestSubmit) { t.form.requestSubmit(); } else { t.form.submit(); } }
  });

  doc.addEventListener('submit', function (e) {
    var form = e.target, word = form.querySelector('[data-word]'), button = e.submitter;
    if (word && word.value !== word.getAttribute('data-word')) { e.preventDefault(); e.stopPropagation(); toast('请输入「' + word.getAttribute('data-word') + '」后再确认', 'bad'); word.focus(); return; }
    dirty = null;
    if (form.method === 'dialog' || form.method === 'get' || form.hasAttribute('data-download')) { return; }
    setTimeout(function () {
      if (e.defaultPrevented && !form.hasAttribute('hx-post')) { return; }
      each(all('button[type=submit]', form), function (b) { b.disabled = true; });
      form.setAttribute('data-sending', '');
      if (button) { button.setAttribute('aria-busy', 'true'); }
    }, 0);
  }, true);
  function ready() {
    each(all('form[data-sending]'), function (form) {
      form.removeAttribute('data-sending');
      each(all('button[type=submit]', form), function (b) { b.disabled = false; b.removeAttribute('aria-busy'); });
    });
  }
  window.addEventListener('pageshow', function (e) { if (e.persisted) { ready(); } });
  window.addEventListener('beforeunload', function (e) { if (dirty && doc.contains(dirty)) { e.preventDefault(); e.returnValue = ''; } });

  doc.addEventListener('keydown', function (e) {
    if (e.key === 'Escape') { each(all('details.menu[open],details.navmenu[open]'), function (d) { d.open = false; d.querySelector('summary').focus(); }); }
    if (e.key === '/' && !e.ctrlKey && !e.metaKey && !/INPUT|TEXTAREA|SELECT/.test(e.target.tagName)) {
      var box = doc.querySelector('[data-shortcut="/"]');
      if (box) { e.preventDefault(); box.focus(); }
    }
  });

  /* htmx: every event name of the library is in this block */
  doc.addEventListener('htmx:configRequest', function (e) {
    var token = doc.querySelector('meta[name=csrf-token]');
    if (token && e.detail.verb !== 'get') { e.detail.headers['X-CSRF-Token'] = token.content; }
  });
  doc.addEventListener('htmx:beforeRequest', function (e) { e.detail.target.setAttribute('aria-busy', 'true'); });
  doc.addEventListener('htmx:afterRequest', function (e) { if (e.detail.target) { e.detail.target.removeAttribute('aria-busy'); } ready(); });
  doc.addEventListener('htmx:afterSwap', function (e) {
    var target = e.detail.target;
    if (target.id === 'drawer') { open(target); }
    start(target);
    var count = target.querySelector('.chips__n');
    if (count) { say(count.textContent); }
  });
  doc.addEventListener('htmx:responseError', function (e) {
    var xhr = e.detail.xhr, names = { 401: '登录已过期，请重新登录', 403: '没有权限进行这项操作', 404: '内容不存在或已被移除', 409: '内容已被他人更新，请刷新后再试', 429: '操作太频繁，请稍后再试' };
    var id = xhr.getResponseHeader('X-Request-ID');
    toast((names[xhr.status] || '操作没有成功，请重试') + (id ? '（编号 ' + id + '）' : ''), 'bad');
  });
  doc.addEventListener('htmx:sendError', function () { toast('网络连接中断，请检查后重试', 'bad'); });

  if (store('density')) { root.setAttribute('data-density', store('density')); }
  if (store('contrast') === 'high') { root.setAttribute('data-contrast', 'high'); each(all('[data-contrast-toggle]'), function (b) { b.setAttribute('aria-pressed', 'true'); }); }
  start();
})();
