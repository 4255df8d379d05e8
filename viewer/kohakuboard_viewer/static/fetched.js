// What pages and charts are fetched by.

import { decode } from "./columns.js"

// Ahead of scrolling, so that it is there when it comes into view.
const AHEAD = "400px"

/** Return the server's answer; one that says what is wrong is thrown, in its own words. */
export async function ask(url, { accept = "application/json", ...options } = {}) {
  const response = await fetch(url, { headers: { Accept: accept }, ...options })
  if (response.ok) return response
  const isTold = response.headers.get("content-type") === "application/json"
  throw new Error(isTold ? (await response.json()).error : `the server answered ${response.status}`)
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
