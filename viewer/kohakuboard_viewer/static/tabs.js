// On a narrow screen the bar of tabs is scrolled to the one that is open; the page itself stays where it is.

const bar = document.querySelector(".tabs")
const open = bar?.querySelector("[aria-current]")
if (open) bar.scrollLeft = open.offsetLeft - bar.offsetLeft - (bar.clientWidth - open.offsetWidth) / 2
