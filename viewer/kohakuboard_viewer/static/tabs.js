// On a narrow screen the tabs are scrolled to the one that is open.

document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" })
