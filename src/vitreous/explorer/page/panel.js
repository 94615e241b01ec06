/* One model on the page: its picture, its controls, its figures, and what they know of each other. */

import { Look, latest, positions } from "./api.js";
import { TokenAttention } from "./attention.js";
import { Classes, rank } from "./classes.js";
import { Controls } from "./controls.js";
import { light, make } from "./drawing.js";
import { Distances, showPositions } from "./figures.js";
import { Heads } from "./heads.js";
import { Sequence } from "./sequence.js";
import { Stage } from "./stage.js";
import * as words from "./words.js";

const OF_TOKEN = ["given", "received"];
const OF_CLASS = ["relevance", "occlusion"];

export class Panel {
  /**
   * @param on `fault(error)`; `pick(panel)` and `mask(panel)`, for a panel beside this one.
   */
  constructor(number, subject, on) {
    Object.assign(this, { number, subject, on });
    this.element = document.querySelector("#panel").content.cloneNode(true).firstElementChild;
    this.element.ariaLabel = subject.name;
    this.at("h2").textContent = subject.name;
    this.at(".about").textContent = words.about(subject);
    this.at(".note").textContent = words.lacks(subject);
    this.mask = new Set();
    this.turn = 0;
    this.showToken = latest(() => this.loadToken());
    this.showMasked = latest(() => this.loadMasked());
    this.build();
    this.begin();
  }

  at(selector) {
    return this.element.querySelector(selector);
  }

  build() {
    const { subject, number } = this;
    const choose = (layer, head) => this.choose(layer, head);
    this.stage = new Stage(this.at(".stage"), subject, {
      pick: (patch) => this.pick(subject.prefix.length + patch),
      paint: (patch, masked) => this.paint(patch, masked),
      move: (rows, columns) => this.move(rows, columns),
    });
    this.classes = new Classes(this.at(".classes"), subject.classes, (label) => this.ask(label));
    this.controls = new Controls(this.at(".controls"), number, subject, {
      choose,
      view: (view) => this.setView(view),
      cut: (cut) => this.stage.show({ cut }),
      painting: (painting) => this.stage.setPainting(painting),
      clear: () => this.setMask(new Set()),
    });
    if (!subject.layers) {
      for (const part of [".sequence", ".heads", ".of-model"]) this.at(part).remove();
      return;
    }
    this.sequence = new Sequence(this.at(".sequence"), subject, (token) => this.pick(token));
    this.heads = new Heads(this.at(".heads canvas"), subject, choose);
    this.distances = new Distances(this.at(".distances"), subject, choose);
  }

  /** The head's token, or the patch in the middle, through the last layer. */
  begin() {
    const { layers, prefix, grid } = this.subject;
    this.patch = Math.floor(grid[0] / 2) * grid[1] + Math.floor(grid[1] / 2);
    this.setView(layers ? "given" : "daylight");
    if (!layers) return;
    this.token = prefix.length ? 0 : this.patch;
    this.showPicked();
    this.choose(layers - 1, 0);
  }

  /** Take an image in; of several the last one wins. */
  async take(file) {
    const turn = (this.turn += 1);
    this.element.ariaBusy = "true";
    try {
      const look = await Look.at(this.number, file);
      if (turn !== this.turn) return;
      this.show(look);
      if (this.subject.layers) await this.loadToken();
    } finally {
      if (turn === this.turn) this.element.ariaBusy = "false";
    }
    // By the time that one asks for it, it is there.
    if (this.subject.layers && this.label !== null) this.loadMap(this.label);
  }

  show(look) {
    Object.assign(this, { look, attention: null, maps: new Map() });
    this.label = look.probabilities ? rank(look.probabilities)[0] : null;
    this.stage.show({ image: look.image });
    this.sequence?.showImage(look.image);
    this.distances?.show(look.distance);
    this.setMask(new Set(), false);
    this.showLight();
  }

  /** An answer of the server; null where there is none, which is told. */
  async answer(question) {
    try {
      return await question;
    } catch (error) {
      this.on.fault(error);
      return null;
    }
  }

  async loadToken() {
    const { look, token } = this;
    const values = look && (await this.answer(look.token(token)));
    if (!values || look !== this.look) return;
    this.attention = new TokenAttention(token, values, this.subject);
    this.showHeads();
    this.showLight();
  }

  async loadPositions() {
    const { patch, number, subject } = this;
    const cosines = await this.answer(positions(number, patch));
    if (cosines && patch === this.patch) showPositions(this.at(".position"), cosines, patch, subject);
  }

  async loadMap(label) {
    const { look, maps } = this;
    if (maps.has(label)) return;
    const map = await this.answer(look.map(label));
    if (!map) return;
    maps.set(label, map);
    if (look === this.look && OF_CLASS.includes(this.view)) this.showLight();
  }

  async loadMasked() {
    const { look, mask } = this;
    if (!look?.probabilities) return;
    const masked = mask.size ? await this.answer(look.masked([...mask])) : null;
    if (look === this.look) this.classes.show(look.probabilities, masked);
  }

  /** Choose a token; `tells` the panel beside this one. */
  pick(token, tells = true) {
    const { prefix, layers } = this.subject;
    if (token >= prefix.length) this.patch = token - prefix.length;
    this.token = token;
    this.showPicked();
    if (layers && this.view === "daylight") this.setView("given");
    if (layers) this.showToken();
    if (tells) this.on.pick(this);
  }

  /** To the patch beside; from a token without a place to the patch that was chosen last. */
  move(rows, columns) {
    const { grid, prefix } = this.subject;
    const away = this.token >= prefix.length ? 1 : 0;
    const row = Math.floor(this.patch / grid[1]) + away * rows;
    const column = (this.patch % grid[1]) + away * columns;
    if (row < 0 || row >= grid[0] || column < 0 || column >= grid[1]) return;
    this.pick(prefix.length + row * grid[1] + column);
  }

  showPicked() {
    const { subject, token, patch } = this;
    this.stage.show({ chosen: token >= subject.prefix.length ? patch : null });
    this.at(".stage").ariaLabel = words.stageLabel(token, subject);
    this.sequence?.choose(token);
    if (subject.layers) this.loadPositions();
  }

  /** Look at another layer and head (0 the mean of heads). */
  choose(layer, head) {
    Object.assign(this, { layer, head });
    for (const part of [this.controls, this.heads, this.distances]) part.choose(layer, head);
    if (OF_TOKEN.includes(this.view)) this.showLight();
    else this.setView("given");
  }

  setView(view) {
    this.view = view;
    this.controls.showView(view);
    this.showHeads();
    this.showLight();
  }

  /** Light the picture by what counts for a class. */
  ask(label) {
    this.label = label;
    this.setView(this.subject.layers ? "relevance" : "occlusion");
  }

  showHeads() {
    const { attention, subject } = this;
    const received = this.view === "received";
    if (!attention || (this.drawn?.attention === attention && this.drawn.received === received)) return;
    this.drawn = { attention, received };
    this.heads.show((layer, head) =>
      attention.row(layer, head, received).subarray(subject.prefix.length),
    );
    this.at(".heads figcaption").textContent = words.headsCaption(attention.token, subject, received);
  }

  /** Light the picture by what is chosen, and say it in words. */
  showLight() {
    const { view, look } = this;
    if (!look) return;
    this.classes.choose(OF_CLASS.includes(view) ? this.label : null);
    if (OF_CLASS.includes(view)) this.showOfClass();
    else if (OF_TOKEN.includes(view)) this.showOfToken();
    else if (view === "rollout") this.showValues(look.rollout, "Through all layers");
    else {
      this.stage.show({ light: null });
      this.sequence?.showShares([]);
      this.showCaption("", "The image as the model saw it.");
    }
  }

  showOfClass() {
    const { maps, label, subject } = this;
    const map = maps.get(label);
    if (map) this.showValues(map, `For “${subject.classes[label]}”`);
    else {
      this.showCaption("", `Working out the ${this.view} …`);
      this.loadMap(label);
    }
  }

  showOfToken() {
    const { attention, subject, layer, head, view } = this;
    if (!attention) return;
    const values = attention.row(layer, head, view === "received");
    this.stage.show({ light: light(values.subarray(subject.prefix.length)) });
    this.sequence.showShares(values);
    this.showCaption(...words.readAttention(values, this));
  }

  showValues(values, title) {
    this.stage.show({ light: light(values) });
    this.sequence?.showShares(values);
    this.showCaption(title, words.readMap(values, this.view, this.subject));
  }

  showCaption(title, text) {
    this.at(".caption").replaceChildren(make("b", { textContent: title }), ` ${text}`);
  }

  paint(patch, masked) {
    const mask = new Set(this.mask);
    if (masked) mask.add(patch);
    else mask.delete(patch);
    this.setMask(mask);
  }

  setMask(mask, tells = true) {
    if (!this.subject.classes.length) return;
    this.mask = mask;
    this.stage.show({ mask });
    this.sequence?.showMask(mask);
    this.controls.showMask(mask.size);
    this.showMasked();
    if (tells) this.on.mask(this);
  }
}
