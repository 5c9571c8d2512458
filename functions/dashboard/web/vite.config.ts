import { defineConfig } from "vite";

export default defineConfig({
  base: "./", // the page lies under a stage's path that the build does not know
  build: {
    target: ["chrome123", "firefox128", "safari17.5"], // the first with light-dark()
    modulePreload: false,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  plugins: [
    {
      // Nothing is painted before the script has run: no flash of the other theme, no shift of the layout.
      name: "blocking-render",
      transformIndexHtml: {
        order: "post",
        handler: (html) => html.replace('<script type="module"', '<script type="module" blocking="render"'),
      },
    },
  ],
});
