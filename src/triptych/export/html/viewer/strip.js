// Without WebGL2: a strip of pictures that the pointer, or the arrow keys, run through.
function showStrip(page, strip) {
  const box = page.strip, picture = new Image();
  let shown = (strip.count - 1) / 2;
  box.hidden = false;
  page.canvas.hidden = true;
  picture.alt = page.canvas.getAttribute("aria-label");
  picture.src = strip.url;
  box.append(picture);
  const show = (number) => {
    shown = clamp(number, 0, strip.count - 1);
    picture.style.transform = `translateX(${(-100 * Math.round(shown)) / strip.count}%)`;
  };
  picture.style.width = `${100 * strip.count}%`;
  show(shown);
  box.addEventListener("pointermove", (event) => {
    const { left, width } = box.getBoundingClientRect();
    show(((event.clientX - left) / width) * strip.count - 0.5);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(shown - 1);
    if (event.key === "ArrowRight") show(shown + 1);
  });
}
