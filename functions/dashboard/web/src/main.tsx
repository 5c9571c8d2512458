import "./locale";
import { render } from "preact";
import "./style/tokens.css";
import "./style/base.css";
import "./style/ui.css";
import { App } from "./app";
import { resumeSession } from "./session";
import { applyTheme } from "./theme";

applyTheme();
void resumeSession();
const root = document.getElementById("app")!;
root.replaceChildren();
render(<App />, root);
