// What pages and charts are fetched by: text, and binary columns as columns.py writes them; its docstring draws the format.

// Ahead of scrolling, so that it is there when it comes into view.
const AHEAD = "400px"
const KINDS = { f8: Float64Array, f4: Float32Array, i4: Int32Array }

/** Return the server's answer; one that says what is wrong is thrown, in its own words. */
export async function ask(url, { accept = "application/json", ...options } = {}) {
  const response = await fetch(url, { headers: { Accept: accept }, ...options })
  if (response.ok) return response
  const isTold = response.headers.get("content-type") === "application/json"
  throw new Error(isTold ? (await response.json()).error : `the server answered ${response.status}`)
}

/** Return { header, columns }, each column a typed array laid over the message. */
function decode(buffer) {
  const view = new DataView(buffer)
  if (buffer.byteLength < 8 || view.getUint32(0) !== 0x4b424331) throw new Error("the server sent no columns")
  const body = 8 + view.getUint32(4, true)
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, body - 8)))
  const columns = {}
  for (const { name, dtype, length, offset } of header.columns) {
    columns[name] = new KINDS[dtype](buffer, body + offset, length)
  }
  return { header, columns }
}

/** Return columns that go on after the first `keep` places of others; each has as many rows in both. */
export function continued(before, newer, keep) {
  const [had, more] = [before.x_lo.length, newer.x_lo.length]
  const long = keep + more
  const join = ([name, column]) => {
    const all = new column.constructor((column.length / more) * long)
    for (let row = 0; row * more < column.length; row += 1) {
      all.set(before[name].subarray(row * had, row * had + keep), row * long)
      all.set(column.subarray(row * more, (row + 1) * more), row * long + keep)
    }
    return [name, all]
  }
  return Object.fromEntries(Object.entries(newer).map(join))
}

/** An element that shows columns, which are fetched once it is in view: `address()` names them, `take` and `fail` show. */
export class Fetched extends HTMLElement {
  // One for all: a page may have a thousand charts, of which few are ever looked at.
  static #watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) target.#inView = isIntersecting
    const near = entries.filter(({ isIntersecting }) => isIntersecting).map(({ target }) => target)
    // All before any of them changes: a measure after a change has the page laid out anew, once for each.
    for (const each of near) if (!each.#entered) each.measure()
    for (const each of near) each.#seen()
  }, { rootMargin: AHEAD })

  static #first = null

  #request = new AbortController()
  #stale = true
  #inView = false
  #entered = false

  connectedCallback() {
    Fetched.#watch.observe(this)
    if (!Fetched.#first) queueMicrotask(() => this.#begin())
    Fetched.#first ??= this
  }

  /** Go before the others of a page if in view: the browser tells what is only once it has painted. */
  #begin() {
    const { top, bottom } = this.getBoundingClientRect()
    if (this.#entered || !this.isConnected || top >= innerHeight || bottom <= 0) return
    this.#inView = true
    this.measure()
    this.#seen()
  }

  disconnectedCallback() {
    Fetched.#watch.unobserve(this)
    this.#request.abort()
    this.#stale = true
    this.#entered = false
  }

  /** Fetch anew, or as soon as it is in view. */
  refetch = () => {
    this.#stale = true
    if (this.#inView) this.#load()
  }

  /** Return the columns as they are sent. */
  async bytes(signal) {
    return (await ask(this.address(), { signal, cache: "no-cache" })).arrayBuffer()
  }

  /** Take the measures of what it is drawn in, before it is in view for the first time. */
  measure() {}

  /** Do what is to be done when it is in view for the first time. */
  enter() {}

  #seen() {
    if (!this.#entered) this.enter()
    this.#entered = true
    if (this.#stale) this.#load()
  }

  async #load() {
    this.#stale = false
    this.#request.abort()
    this.#request = new AbortController()
    const { signal } = this.#request
    this.dataset.state = "loading"
    try {
      const found = decode(await this.bytes(signal))
      if (signal.aborted) return
      this.take(found)
      this.dataset.state = "ready"
    } catch (error) {
      if (error.name === "AbortError") return
      this.#stale = true
      this.fail(error instanceof TypeError ? "The server does not answer." : error.message)
      this.dataset.state = "error"
    }
  }
}
