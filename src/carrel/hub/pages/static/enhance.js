// Conveniences only: every page works without this file.
"use strict";

const status = document.getElementById("status");

function announce(text) {
  if (status) {
    status.textContent = "";
    window.setTimeout(() => { status.textContent = text; }, 50);
  }
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) {
    break; // absent where the hub is served over plain http
  }
  button.hidden = false;
  button.addEventListener("click", async () => {
    const target = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(target.textContent.trim());
    } catch {
      window.getSelection().selectAllChildren(target);
      announce("Press Ctrl+C to copy");
      return;
    }
    const label = button.querySelector("span");
    const before = label.textContent;
    label.textContent = "Copied";
    button.classList.add("done");
    announce("Copied to the clipboard");
    window.setTimeout(() => {
      label.textContent = before;
      button.classList.remove("done");
    }, 1600);
  });
}

// "/" goes to the search box, as in the panel.
document.addEventListener("keydown", (event) => {
  const field = document.querySelector("input[type=search]");
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && field && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    field.focus();
    field.select();
  }
});

// The user menu closes on Escape and on a click elsewhere.
const menu = document.querySelector("details.menu");
if (menu) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) {
      menu.open = false;
    }
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
}

// A filter submits its form when it changes; without script the form has a button.
for (const form of document.querySelectorAll("form[data-autosubmit]")) {
  form.addEventListener("change", (event) => {
    if (event.target.matches("input[type=checkbox], select")) {
      form.requestSubmit();
    }
  });
}
