// How many runs are selected, and what can be done with them.

const form = document.getElementById("runs-list")

function show() {
  const actions = document.getElementById("actions")
  if (!actions) return
  const count = form.querySelectorAll("input[name=run]:checked").length
  actions.dataset.state = count ? "any" : "none"
  document.getElementById("selected").textContent = count === 1 ? "1 run selected" : `${count} runs selected`
}

form.addEventListener("change", show)
addEventListener("kobo-patched", show)
addEventListener("pageshow", show) // a browser that goes back ticks the boxes again
show()
