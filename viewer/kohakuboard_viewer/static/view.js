// How curves are looked at, one state for all charts of a page. It lives in the URL, so that a link is a saved view.

export const AXES = ["step", "index", "relative", "wall"]

class View extends EventTarget {
  constructor() {
    super()
    this.#read()
    addEventListener("popstate", () => {
      this.#read()
      this.#announce()
    })
  }

  /** Change any of x, smooth, log, lo and hi; charts are told by a "change" event. Another x ends the zoom. */
  set(changes) {
    if (changes.x && changes.x !== this.x) changes = { ...changes, lo: null, hi: null }
    Object.assign(this, changes)
    this.#write()
    this.#announce()
  }

  get zoomed() {
    return this.lo !== null && this.hi !== null
  }

  #read() {
    const query = new URLSearchParams(location.search)
    const real = (name) => (query.has(name) && Number.isFinite(Number(query.get(name))) ? Number(query.get(name)) : null)
    this.x = AXES.includes(query.get("x")) ? query.get("x") : "step"
    this.smooth = Math.min(Math.max(real("smooth") ?? 0, 0), 0.999)
    this.log = query.has("log")
    this.lo = real("lo")
    this.hi = real("hi")
  }

  #write() {
    setQuery({
      x: this.x === "step" ? null : this.x,
      smooth: this.smooth || null,
      log: this.log ? 1 : null,
      lo: this.lo,
      hi: this.hi,
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
