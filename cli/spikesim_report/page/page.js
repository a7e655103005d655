"use strict";
// Two images with an edge between them, and the readouts of spike streams, shown as they are or as TFP or TFI.

function comparison(figure) {
  const [images, edge] = [[...figure.querySelectorAll("img")], figure.querySelector(".edge")];
  const [left, right, place] = [".left", ".right", ".edge-place"].map((name) => figure.querySelector(name));
  const stack = figure.querySelector(".stack");

  function show() {
    const [a, b] = [images[left.value], images[right.value]];
    for (const image of images) {
      image.style.visibility = image === a || image === b ? "visible" : "hidden";
      image.style.clipPath = "none";
      image.style.zIndex = image === a ? 1 : 0;
    }
    if (a !== b) a.style.clipPath = `inset(0 ${100 - place.value}% 0 0)`;
    edge.style.left = `${place.value}%`;
    edge.style.zIndex = 2;
    figure.dataset.at = place.value;
  }

  function follow(event) {
    if (!event.buttons) return;
    const box = stack.getBoundingClientRect();
    place.value = (100 * (event.clientX - box.left)) / box.width;
    show();
  }

  stack.addEventListener("pointerdown", follow);
  stack.addEventListener("pointermove", follow);
  for (const control of [left, right, place]) control.addEventListener("input", show);
  show();
}

async function unpacked(script) {
  const bytes = Uint8Array.from(atob(script.textContent), (letter) => letter.charCodeAt(0));
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bits = new Uint8Array(await new Response(inflated).arrayBuffer());
  const [readouts, height, width] = ["readouts", "height", "width"].map((name) => Number(script.dataset[name]));
  return { bits, readouts, height, width, row: Math.ceil(width / 8), unit: Number(script.dataset.unit) };
}

function fired(stream, readout, y, x) {
  return (stream.bits[(readout * stream.height + y) * stream.row + (x >> 3)] >> (x & 7)) & 1;
}

// Light of a pixel around a readout, of full light 1.
const LOOKS = {
  spikes: (stream, readout, y, x) => fired(stream, readout, y, x),
  tfp: (stream, readout, y, x, window) => {
    const first = Math.max(0, Math.min(readout - Math.floor(window / 2), stream.readouts - window));
    let count = 0;
    for (let t = first; t < first + window; t++) count += fired(stream, t, y, x);
    return (stream.unit * count) / window;
  },
  tfi: (stream, readout, y, x) => {
    let [before, after] = [readout, readout + 1];
    while (before >= 0 && !fired(stream, before, y, x)) before--;
    while (after < stream.readouts && !fired(stream, after, y, x)) after++;
    return before < 0 || after === stream.readouts ? 0 : stream.unit / (after - before);
  },
};

async function scrubber(figure) {
  const streams = await Promise.all([...figure.querySelectorAll("script.stream")].map(unpacked));
  const [canvas, output, play] = ["canvas", "output", ".play"].map((name) => figure.querySelector(name));
  const [which, look, window_, readout] = [".which", ".look", ".window", ".readout"].map((name) =>
    figure.querySelector(name),
  );
  let timer = 0;

  function show() {
    const stream = streams[which ? which.value : 0];
    const [shown, time] = [LOOKS[look.value], Number(readout.value)];
    const length = Math.max(1, Math.min(stream.readouts, Math.round(window_.value) || 1));
    [canvas.width, canvas.height] = [stream.width, stream.height];
    const context = canvas.getContext("2d");
    const picture = context.createImageData(stream.width, stream.height);
    for (let y = 0, at = 0; y < stream.height; y++) {
      for (let x = 0; x < stream.width; x++, at += 4) {
        const grey = Math.round(255 * Math.min(1, shown(stream, time, y, x, length)));
        picture.data[at] = picture.data[at + 1] = picture.data[at + 2] = grey;
        picture.data[at + 3] = 255;
      }
    }
    context.putImageData(picture, 0, 0);
    output.textContent = String(Number(figure.dataset.first) + time);
    window_.disabled = look.value !== "tfp";
  }

  function step() {
    readout.value = (Number(readout.value) + 1) % streams[0].readouts;
    show();
  }

  play.addEventListener("click", () => {
    timer = timer ? clearInterval(timer) || 0 : setInterval(step, 66);
    play.textContent = timer ? "stop" : "play";
  });
  for (const control of [which, look, window_, readout]) control?.addEventListener("input", show);
  show();
  figure.dataset.ready = "yes";
}

document.querySelectorAll(".comparison").forEach(comparison);
document.querySelectorAll(".scrubber").forEach(scrubber);
