import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { forget } from "./data/source";
import type { Catalog } from "./data/types";
import { useDocument } from "./hooks";
import { FeaturePage } from "./pages/feature";
import { JobPage } from "./pages/job";
import { MapPage } from "./pages/map";
import { PlayPage } from "./pages/play";
import { TablePage } from "./pages/table";
import { href, useRoute } from "./route";
import { Empty, Trouble, Waiting } from "./ui/parts";
import { applyTheme, Shell, storedTheme } from "./ui/shell";
import "./styles/app.css";

export interface PageProps { catalog: Catalog; job: string; id: string; params: URLSearchParams; round: number }

const PAGES: Record<string, (props: PageProps) => preact.JSX.Element> = {
  table: TablePage, feature: FeaturePage, map: MapPage, job: JobPage, play: PlayPage,
};
const LOOK_AGAIN = 10_000;

function App() {
  const route = useRoute();
  const [round, setRound] = useState(0);
  const { value: catalog, error } = useDocument<Catalog>("catalog", round);
  const wanted = route.params.get("job");
  const job = wanted ?? catalog?.jobs[0]?.id ?? null;
  const running = catalog?.abilities.live === true && catalog.jobs.some((one) => one.id === job && !one.ended);
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => {
      if (job) forget(job);
      setRound((old) => old + 1);
    }, LOOK_AGAIN);
    return () => clearInterval(timer);
  }, [running, job]);
  const Page = PAGES[route.page];
  useEffect(() => {
    document.title = route.page === "feature" ? `Feature ${route.id} – SteerScope` : "SteerScope";
    window.scrollTo(0, 0);
  }, [route.page, route.id]);
  let page: preact.JSX.Element;
  if (error) page = <Trouble error={error} />;
  else if (!catalog) page = <Waiting what="Reading the list of jobs…" />;
  else if (!job) page = <Empty title="No job yet"><p>Submit one: <code>steerscope submit --sample 16 --watch</code>. It appears here as it runs.</p></Empty>;
  else if (!Page) page = <Empty title="There is no such page"><p><a href={href("table")}>To the table</a></p></Empty>;
  else page = <Page key={route.page} catalog={catalog} job={job} id={route.id} params={route.params} round={round} />;
  return <Shell catalog={catalog} route={route} job={job}>{page}</Shell>;
}

applyTheme(storedTheme()); // before anything is painted
const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<App />, root);
}
