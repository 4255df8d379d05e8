// Other runs, looked at as these are: script has changed the URL since the form was rendered.

import { urlWith } from "./view.js"

document.getElementById("compare").addEventListener("submit", (event) => {
  event.preventDefault()
  location.assign(urlWith({ run: new FormData(event.target).getAll("run") }))
})
