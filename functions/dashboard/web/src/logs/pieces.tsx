import { SafeText } from "../ui";
import { sought } from "./search";

/** Text of a log; what the search looks for is marked. */
export function LogText({ text, marks = sought.value }: { text: string; marks?: readonly string[] }) {
  return <SafeText text={text} marks={marks} />;
}
