/* Questions to the server, and what it says when it refuses. */

const PATIENCE = 8; // times that a busy server is asked again

/** The server's reason, in words for the page. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  /** The server has let go of the image: it must be given once more. */
  get forgotten() {
    return this.status === 410;
  }
}

async function reasonOf(response) {
  try {
    return (await response.json()).error;
  } catch {
    return `the server answered ${response.status}`;
  }
}

async function ask(path, options = {}) {
  for (let attempt = 0; ; attempt += 1) {
    let response;
    try {
      response = await fetch(path, options);
    } catch {
      throw new Refusal(0, "the server does not answer: is vitreous explore still running?");
    }
    if (response.ok) return response;
    if (response.status !== 503 || attempt >= PATIENCE) {
      throw new Refusal(response.status, await reasonOf(response));
    }
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    await new Promise((resume) => setTimeout(resume, 1000 * seconds));
  }
}

const json = async (path, options) => (await ask(path, options)).json();
const floats = async (path) => new Float32Array(await (await ask(path)).arrayBuffer());

export const facts = () => json("/api/subjects");
export const exampleAddress = (name) => `/api/examples/${name}`;
export const exampleFile = async (name) => (await ask(exampleAddress(name))).blob();

/** An image in front of a model, and what can be asked of the two. */
export class Look {
  /** Give the image to the model; `number` is the model's. */
  static async at(number, file) {
    const look = new Look();
    look.path = `/api/subjects/${number}/looks`;
    look.file = file;
    Object.assign(look, await look.give()); // digest, probabilities, distance, rollout
    look.image = new Image();
    look.image.src = `${look.path}/${look.digest}/seen.png`;
    await look.image.decode();
    return look;
  }

  give() {
    return json(this.path, { method: "POST", body: this.file });
  }

  /** Ask; a server that has let go of the image is given it once more. */
  async ask(question) {
    const path = `${this.path}/${this.digest}`;
    try {
      return await question(path);
    } catch (error) {
      if (!error.forgotten) throw error;
      await this.give();
      return question(path);
    }
  }

  /** Float32 (2, layers, heads, tokens): what a token gives to each, and what it gets from each. */
  token(token) {
    return this.ask((path) => floats(`${path}/tokens/${token}`));
  }

  /** A value for each patch: where the image counts for a class. */
  async map(label) {
    return (await this.ask((path) => json(`${path}/maps/${label}`))).map;
  }

  /** Probabilities of the classes with some patches painted over. */
  async masked(patches) {
    const options = { method: "POST", body: JSON.stringify({ patches }) };
    return (await this.ask((path) => json(`${path}/masked`, options))).probabilities;
  }
}

/** Cosine of a patch's position with that of each patch. */
export const positions = (number, patch) => floats(`/api/subjects/${number}/positions/${patch}`);

/** A task that runs one call at a time; of those that come meanwhile only the last is kept. */
export function latest(task) {
  let running = false;
  let waiting = null;
  return async function call(...given) {
    if (running) {
      waiting = given;
      return;
    }
    running = true;
    try {
      await task(...given);
    } finally {
      running = false;
      if (waiting) {
        const next = waiting;
        waiting = null;
        call(...next);
      }
    }
  };
}
