/** What all pages are made of. */
export { Button, CopyButton } from "./button";
export { Confirm } from "./confirm";
export { Dialog } from "./dialog";
export { Field } from "./field";
export { Icon, type IconName } from "./icon";
export { Levels } from "./levels";
export { Meter } from "./meter";
export { SafeText } from "./safetext";
export { useScrollHint } from "./scrollhint";
export { SpanSelect, shownSince, shownSpan } from "./spanselect";
export { Sparkline } from "./sparkline";
export { EmptyState, ErrorState, Loading } from "./states";
export { type Column, Table } from "./table";
export { TemplateText } from "./templatetext";
export { RelativeTime } from "./time";
export { TimeChart } from "./timechart";
export { Toasts, toast, toastProblem } from "./toast";
