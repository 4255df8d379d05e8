// Read the binary columns that columns.py writes; its docstring draws the format.

const KINDS = { f8: Float64Array, f4: Float32Array, i4: Int32Array }

/** Return { header, columns }, each column a typed array laid over the message. */
export function decode(buffer) {
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
