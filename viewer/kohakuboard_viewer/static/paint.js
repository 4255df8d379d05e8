// What is painted on a chart beside its lines: bands, and marks for what is not finite or out of range.

const MARK = 4 // pixels, half the width
const MANY = 16

/** Fill from the lowest to the highest of each bucket; of very many curves, whose bands would be a blot, of all at once. */
export function drawBands(plot, found) {
  const { header, columns, looks, colours, focused } = found
  const shade = (look) => (columns.smooth ? look.bandFaint : look.band)
  const places = columns.x_lo.length
  const rows = (i) => [columns.low, columns.high].map((column) => column.subarray(i * places, (i + 1) * places))
  painted(plot, () => {
    const { ctx } = plot
    ctx.lineWidth = devicePixelRatio
    ctx.lineJoin = "bevel"
    const isMany = header.curves.length > MANY
    if (isMany) drawBand(plot, found, envelope(header.curves.map((_, i) => rows(i))), colours.crowd)
    header.curves.forEach((_, i) => {
      if (!isMany || i === focused) drawBand(plot, found, rows(i), shade(looks[i]))
    })
  })
}

function drawBand(plot, { columns: { x_lo, x_hi }, log }, [low, high], fill) {
  const { ctx, bbox } = plot
  const y = (value) => (log && value <= 0 ? bbox.top + bbox.height : plot.valToPos(value, "y", true))
  const [upper, lower] = [[], []]
  low.forEach((lowest, i) => {
    if (Number.isNaN(high[i]) || (log && high[i] <= 0)) return
    const x = plot.valToPos((x_lo[i] + x_hi[i]) / 2, "x", true)
    upper.push([x, y(high[i])])
    lower.push([x, y(lowest)])
  })
  if (!low.some((lowest, i) => lowest < high[i])) return // a point each
  ctx.beginPath()
  for (const [x, y] of [...upper, ...lower.reverse()]) ctx.lineTo(x, y)
  ctx.closePath()
  ctx.fillStyle = ctx.strokeStyle = fill
  ctx.fill()
  ctx.stroke() // the edge shows a spike that is narrower than a pixel
}

/** Return the lowest and the highest of all curves in each bucket, NaN where none has a point. */
function envelope(rows) {
  const [low, high] = rows[0].map((row) => row.slice())
  for (const [lows, highs] of rows) {
    for (let i = 0; i < low.length; i += 1) {
      if (lows[i] < low[i] || Number.isNaN(low[i])) low[i] = lows[i]
      if (highs[i] > high[i] || Number.isNaN(high[i])) high[i] = highs[i]
    }
  }
  return [low, high]
}

/** Mark on the x axis where values were NaN or infinite. */
export function drawNonfinite(plot, { columns: { x_lo, x_hi, nonfinite = [] }, colours }) {
  const places = x_lo.length
  const seen = new Set()
  painted(plot, () => {
    plot.ctx.fillStyle = colours.danger
    for (let i = 0; i < nonfinite.length; i += 1) {
      if (!nonfinite[i] || seen.has(i % places)) continue
      seen.add(i % places)
      mark(plot, plot.valToPos((x_lo[i % places] + x_hi[i % places]) / 2, "x", true), "on")
    }
  })
}

/** Mark at the upper and the lower edge where a curve goes on beyond it. */
export function drawLeaving(plot, { columns: { x_lo, x_hi, low, high }, looks }) {
  const { min, max } = plot.scales.y
  const places = x_lo.length
  let [last, edge] = [-Infinity, true]
  painted(plot, () => {
    for (let i = 0; i < high.length; i += 1) {
      const above = high[i] > max
      if (!above && !(low[i] < min)) continue
      const x = plot.valToPos((x_lo[i % places] + x_hi[i % places]) / 2, "x", true)
      if (above === edge && Math.abs(x - last) < MARK * devicePixelRatio) continue
      ;[last, edge] = [x, above]
      plot.ctx.fillStyle = looks[Math.floor(i / places)].line
      mark(plot, x, above ? "above" : "below")
    }
  })
}

/** Draw a triangle that stands on the lower edge, or one that points out of the plot. */
function mark({ ctx, bbox }, x, edge) {
  const size = MARK * devicePixelRatio
  const [top, floor, tall] = [bbox.top, bbox.top + bbox.height, size * 1.6]
  const [base, tip] = { on: [floor, floor - tall], above: [top + tall, top], below: [floor - tall, floor] }[edge]
  ctx.beginPath()
  ctx.moveTo(x - size, base)
  ctx.lineTo(x, tip)
  ctx.lineTo(x + size, base)
  ctx.fill()
}

/** Paint within the frame of the plot. */
function painted({ ctx, bbox }, paint) {
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
  paint()
  ctx.restore()
}

/** Return how each curve is drawn on the page as it is now: alone in the page's colour, else in its own. */
export function shades(curves) {
  const { line, faint, band, bandFaint } = palette()
  if (curves.length === 1) return [{ line, faint, band, bandFaint, dash: [] }]
  const bands = curves.length > 8 && curves.length <= MANY ? "1f" : "38"
  return curves.map(({ light, dark, dash, attempt }) => {
    const own = isDark() ? dark : light
    // An earlier attempt is there to compare with, and stays behind.
    return { line: attempt ? `${own}99` : own, faint: `${own}70`, band: own + bands, bandFaint: `${own}14`, dash: attempt ? [2, 4] : dash }
  })
}

/** Return the colours of the page as they are now. Asked of the root, they have nothing else styled anew. */
export function palette() {
  const style = getComputedStyle(document.documentElement)
  const names = { line: "line", faint: "line-faint", band: "band", bandFaint: "band-faint", crowd: "crowd", grid: "grid", label: "muted", danger: "danger" }
  return Object.fromEntries(Object.entries(names).map(([name, property]) => [name, style.getPropertyValue(`--${property}`).trim()]))
}

function isDark() {
  const { theme } = document.documentElement.dataset
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches
}
