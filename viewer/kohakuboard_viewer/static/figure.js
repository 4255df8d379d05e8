// Draw one Plotly figure in a page of its own. That page is a sandboxed frame of no origin: a classic script, since a
// module would have to be fetched as from another site.
{
  const place = document.getElementById("figure")
  const { data = [], layout = {}, frames } = JSON.parse(document.getElementById("data").textContent)
  const system = matchMedia("(prefers-color-scheme: dark)")
  const CONFIG = { responsive: true, displaylogo: false }

  /** Return the figure's layout, in the colours of the page around it where it has none of its own. */
  const dressed = () => {
    const chosen = location.hash.slice(1)
    const dark = chosen ? chosen === "dark" : system.matches
    document.documentElement.style.colorScheme = dark ? "dark" : "light"
    const own = layout.template?.layout ?? {}
    const ink = dark ? "#e4e8ef" : "#171c24"
    const grid = dark ? "#2a303b" : "#e0e4ea"
    const axes = Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))
    const lines = Object.fromEntries(
      [...new Set(["xaxis", "yaxis", ...axes])].map((key) => [key, { gridcolor: grid, zerolinecolor: grid, automargin: true, ...layout[key] }]),
    )
    const ground = own.plot_bgcolor && !layout.plot_bgcolor ? {} : { plot_bgcolor: layout.plot_bgcolor ?? "rgba(0,0,0,0)" }
    const font = { ...layout.font, color: layout.font?.color ?? ink }
    const margin = { t: layout.title ? 64 : 28, r: 28, b: 48, l: 56, ...layout.margin }
    return { ...layout, margin, ...ground, ...lines, font, paper_bgcolor: layout.paper_bgcolor ?? "rgba(0,0,0,0)", width: undefined, height: undefined, autosize: true }
  }

  const draw = () => Plotly.react(place, { data, layout: dressed(), frames, config: CONFIG })
  const fail = (error) => {
    place.textContent = `This figure cannot be drawn: ${error.message ?? error}`
  }
  const tryToDraw = () => {
    try {
      draw().catch(fail)
    } catch (error) {
      fail(error)
    }
  }

  addEventListener("hashchange", tryToDraw)
  system.addEventListener("change", tryToDraw)
  tryToDraw()
}
