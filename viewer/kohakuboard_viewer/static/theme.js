// The theme, before anything is painted: what was chosen here, else what the system prefers. A classic script in the
// head, since a module would run after the first paint.
(() => {
  const root = document.documentElement
  const system = matchMedia("(prefers-color-scheme: dark)")
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark"
  const announce = () => dispatchEvent(new Event("kobo-theme"))

  root.classList.add("has-script")
  const chosen = localStorage.getItem("kobo-theme")
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen
  system.addEventListener("change", announce)

  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", () => {
      const dark = !isDark()
      if (dark === system.matches) {
        delete root.dataset.theme // back to following the system
        localStorage.removeItem("kobo-theme")
      } else {
        root.dataset.theme = dark ? "dark" : "light"
        localStorage.setItem("kobo-theme", root.dataset.theme)
      }
      announce()
    })
  })
})()
