// Back to the end of what a run printed, where its box stays by itself: it is laid out from the bottom.
document.addEventListener("click", ({ target }) => {
  if (target.id === "to-end") document.querySelector(".console").scrollTop = 0
})
