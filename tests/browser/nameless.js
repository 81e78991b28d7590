() =>
  [...document.querySelectorAll("button, a, input, select, canvas[tabindex], [role=progressbar]")]
    .filter((one) => one.checkVisibility())
    .filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length))
    .map((one) => one.outerHTML.slice(0, 120))
