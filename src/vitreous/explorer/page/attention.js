/* One token's attention in every layer and head, both ways. */

export class TokenAttention {
  /**
   * @param values Float32 (2, layers, heads, tokens): given to each, and received from each.
   */
  constructor(token, values, { layers, heads }) {
    Object.assign(this, { token, values, layers, heads });
    this.tokens = values.length / (2 * layers * heads);
  }

  /** Of one layer and head (0 the mean of heads), for every token. */
  row(layer, head, received) {
    return head ? this.ofHead(layer, head - 1, received) : this.mean(layer, received);
  }

  ofHead(layer, head, received) {
    const start = ((Number(received) * this.layers + layer) * this.heads + head) * this.tokens;
    return this.values.subarray(start, start + this.tokens);
  }

  mean(layer, received) {
    const mean = new Float32Array(this.tokens);
    for (let head = 0; head < this.heads; head += 1) {
      this.ofHead(layer, head, received).forEach((value, token) => {
        mean[token] += value / this.heads;
      });
    }
    return mean;
  }
}
