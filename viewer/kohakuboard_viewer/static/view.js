// How curves are looked at, one state for all charts of a page. It lives in the URL, so that a link is a saved view.

class View extends EventTarget {
  constructor() {
    super()
    this.#read()
    addEventListener("popstate", () => {
      this.#read()
      this.#announce()
    })
  }

  /**
   * Change any of x, smooth, way, log, clip, low, high, attempts, lo and hi; charts are told by a "change" event.
   * Another x ends the zoom.
   */
  set(changes) {
    if (changes.x && changes.x !== this.x) changes = { ...changes, lo: null, hi: null }
    Object.assign(this, changes)
    this.#write()
    this.#announce()
  }

  get zoomed() {
    return this.lo !== null && this.hi !== null
  }

  /** Return what the server is asked for: all but what only the drawing needs. */
  get query() {
    const { x, lo, hi } = this
    return {
      x,
      ...(this.smooth && { smooth: this.smooth, way: this.way }),
      ...(this.attempts && { attempts: 1 }),
      ...(this.zoomed && { lo, hi }),
    }
  }

  #read() {
    const query = new URLSearchParams(location.search)
    const real = (name) => (query.get(name) && Number.isFinite(Number(query.get(name))) ? Number(query.get(name)) : null)
    this.x = query.get("x") || "step"
    this.smooth = Math.min(Math.max(real("smooth") ?? 0, 0), 0.9999)
    this.way = query.get("way") || "ema"
    for (const name of ["log", "clip", "attempts"]) this[name] = query.has(name)
    for (const name of ["low", "high", "lo", "hi"]) this[name] = real(name)
  }

  #write() {
    const { low, high, lo, hi } = this
    setQuery({
      x: this.x === "step" ? null : this.x,
      smooth: this.smooth || null,
      way: this.way === "ema" ? null : this.way,
      ...Object.fromEntries(["log", "clip", "attempts"].map((name) => [name, this[name] ? 1 : null])),
      low,
      high,
      lo,
      hi,
    })
  }

  #announce() {
    this.dispatchEvent(new Event("change"))
  }
}

/** Change some parameters of the URL in place; null removes one. */
export function setQuery(changes) {
  const url = new URL(location.href)
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") url.searchParams.delete(name)
    else url.searchParams.set(name, value)
  }
  history.replaceState(null, "", url)
}

export const view = new View()
