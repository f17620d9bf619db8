// Two tabs as the ARIA practices want them: arrows move, one is in the focus order.

export class Tabs {
  constructor(tabs, onChange) {
    this.tabs = tabs;
    this.onChange = onChange;
    tabs.forEach((tab, at) => {
      tab.addEventListener("click", () => this.open(tab));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = tabs[(at + step + tabs.length) % tabs.length];
        next.focus();
        this.open(next);
      });
    });
  }

  open(tab) {
    for (const each of this.tabs) {
      const chosen = each === tab;
      each.setAttribute("aria-selected", String(chosen));
      each.tabIndex = chosen ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).hidden = !chosen;
    }
    this.onChange(tab.id.replace("tab-", ""));
  }
}
