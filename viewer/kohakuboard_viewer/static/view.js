// How curves are looked at, one state for all charts of a page. It lives in the URL, so that a link is a saved view.

// The browser takes milliseconds over its address, and refuses to be told a new one too often, as by a key that is held.
const PAUSE = 100

// What the URL leaves out.
const USUAL = { x: "step", smooth: 0, way: "ema", log: false, clip: false, attempts: false, by: "", band: "std", low: null, high: null, lo: null, hi: null }

class View extends EventTarget {
  #timer = 0

  constructor() {
    super()
    this.#read()
    addEventListener("popstate", () => {
      clearTimeout(this.#timer)
      this.#read()
      this.#announce()
    })
  }

  /** Change what USUAL names; charts are told by a "change" event. Another x ends the zoom. */
  set(changes) {
    if (changes.x && changes.x !== this.x) changes = { ...changes, lo: null, hi: null }
    Object.assign(this, changes)
    this.#announce()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.say(), PAUSE)
  }

  /** Say in the URL how curves are looked at. */
  say() {
    const said = ([name, usual]) => [name, this[name] === usual ? null : this[name] === true ? 1 : this[name]]
    setQuery(Object.fromEntries(Object.entries(USUAL).map(said)))
  }

  get zoomed() {
    return this.lo !== null && this.hi !== null
  }

  /** Return what the server is asked for: all but what only the drawing needs. */
  get query() {
    const { x, lo, hi, by, band } = this
    return {
      x,
      ...(this.smooth && { smooth: this.smooth, way: this.way }),
      ...(this.attempts && { attempts: 1 }),
      ...(by && { by, band }),
      ...(this.zoomed && { lo, hi }),
    }
  }

  #read() {
    const query = new URLSearchParams(location.search)
    for (const [name, usual] of Object.entries(USUAL)) {
      const said = query.get(name)
      if (typeof usual === "string") this[name] = said || usual
      else if (typeof usual === "boolean") this[name] = said !== null
      else this[name] = said && Number.isFinite(Number(said)) ? Number(said) : usual
    }
    this.smooth = Math.min(Math.max(this.smooth, 0), 0.9999)
  }

  #announce() {
    this.dispatchEvent(new Event("change"))
  }
}

/** Return the URL with other parameters: a value, many of them, or none for null. */
export function urlWith(changes) {
  const url = new URL(location.href)
  for (const [name, value] of Object.entries(changes)) {
    url.searchParams.delete(name)
    for (const each of [value ?? []].flat()) if (each !== "") url.searchParams.append(name, each)
  }
  return url
}

/** Change some parameters of the URL in place. */
export function setQuery(changes) {
  history.replaceState(null, "", urlWith(changes))
}

export const view = new View()
