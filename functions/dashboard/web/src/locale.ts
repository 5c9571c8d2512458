/** Chrome under LANG=C calls its language `en-US@posix`, which Intl refuses; uPlot hands it over as it loads, and the
 *  page would stay empty. To be imported before all else. */
try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en" });
}
