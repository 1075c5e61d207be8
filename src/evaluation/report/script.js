'use strict';
for (const viewer of document.querySelectorAll('.viewer')) {
  const slider = viewer.querySelector('input[type=range]');
  const output = viewer.querySelector('output');
  const image = viewer.querySelector('image');
  const paths = viewer.querySelectorAll('path');
  const of = output.textContent.replace(/^.* of /, '');
  let slices = null;
  const show = at => {
    // Read when it is first wanted, so that the page opens at once.
    slices ??= JSON.parse(viewer.querySelector('script').textContent);
    at = Math.max(0, Math.min(slices.length - 1, at));
    const slice = slices[at];
    slider.value = at;
    output.textContent = `axial slice ${slice.n} of ${of}`;
    if (image) image.setAttribute('href', 'data:image/png;base64,' + slice.i);
    slice.c.forEach((path, number) => paths[number].setAttribute('d', path));
  };
  slider.hidden = false;
  slider.addEventListener('input', () => show(+slider.value));
  viewer.addEventListener('keydown', event => {
    const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 5, PageDown: -5, Home: -1e6, End: 1e6 };
    if (!(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    show(+slider.value + steps[event.key]);
  });
  // Elsewhere the wheel moves the page.
  viewer.querySelector('svg').addEventListener('wheel', event => {
    if (!viewer.contains(document.activeElement)) return;
    event.preventDefault();
    show(+slider.value + (event.deltaY < 0 ? 1 : -1));
  }, { passive: false });
  for (const box of viewer.querySelectorAll('input[type=checkbox]')) {
    box.addEventListener('change', () => {
      paths[+box.dataset.mask].style.visibility = box.checked ? '' : 'hidden';
    });
  }
}
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  table.querySelectorAll('thead th').forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener('click', () => {
      const falling = head.getAttribute('aria-sort') !== 'descending';
      table.querySelectorAll('th').forEach(other => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', falling ? 'descending' : 'ascending');
      const value = row => row.cells[column].textContent;
      const order = (a, b) => {
        const [x, y] = [parseFloat(value(a)), parseFloat(value(b))];
        // What has no number goes to the end either way.
        if (head.dataset.numbers !== undefined) {
          if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
          return falling ? y - x : x - y;
        }
        return (falling ? -1 : 1) * value(a).localeCompare(value(b), undefined, { numeric: true });
      };
      body.append(...[...body.rows].sort(order));
    });
  });
}
