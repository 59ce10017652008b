// A plugin of Swagger UI: the filters of a list by field, one row for each field that opens what can be asked of it.
// The description says with `x-filter-of` which parameters belong to one field; they stand side by side in it.
window.SternpostFilters = ({ React }) => {
  const h = React.createElement;
  const opened = new Set();
  const listeners = new Set();
  const change = (keys, open) => {
    keys.forEach((key) => (open ? opened.add(key) : opened.delete(key)));
    listeners.forEach((listener) => listener());
  };

  // Rows are told of each other's changes: the first row of a field has the button for all of them.
  const useChanges = () => {
    const [, again] = React.useState(0);
    React.useEffect(() => {
      const listener = () => again((count) => count + 1);
      listeners.add(listener);
      return () => listeners.delete(listener);
    }, []);
  };

  const fieldOf = (parameter) => parameter.get("x-filter-of");
  const operatorOf = (parameter) => (/\[(\w+)\]$/.exec(parameter.get("name")) || ["", "eq"])[1];
  const isSet = (value) => value !== undefined && value !== null && value !== "" && value.size !== 0;

  const Button = ({ className, open, onClick, children }) =>
    h("button", { type: "button", className, "aria-expanded": open, onClick }, h("span", { "aria-hidden": true }, open ? "▾ " : "▸ "), children);

  const Line = ({ className, children }) => h("tr", { className }, h("td", { colSpan: 2 }, children));

  return {
    wrapComponents: {
      parameterRow: (Original) =>
        function Row(props) {
          useChanges();
          const field = fieldOf(props.rawParam);
          if (!field) return h(Original, props);
          const [path, method] = props.pathMethod;
          const all = props.specSelectors.specJson().getIn(["paths", path, method, "parameters"]).filter(fieldOf);
          const own = all.filter((each) => fieldOf(each) === field);
          const keyOf = (name) => JSON.stringify([path, method, name]);
          const open = opened.has(keyOf(field));
          const lines = [];
          if (props.rawParam.get("name") === all.first().get("name")) {
            const keys = [...new Set(all.map((each) => keyOf(fieldOf(each))))];
            const every = keys.every((key) => opened.has(key));
            lines.push(
              h(Line, { key: "all", className: "filters-of-all" },
                h(Button, { open: every, onClick: () => change(keys, !every) },
                  h("strong", null, "Filters by field"),
                  h("span", { className: "filters-told" }, `${keys.length} fields, ${all.size} filters`))));
          }
          if (props.rawParam.get("name") === own.first().get("name")) {
            const value = (each) => props.specSelectors.parameterWithMetaByIdentity([path, method], each).get("value");
            const set = own.filter((each) => isSet(value(each))).map(operatorOf);
            lines.push(
              h(Line, { key: field, className: "filters-of-field" },
                h(Button, { open, onClick: () => change([keyOf(field)], !open) },
                  h("code", null, field),
                  h("span", { className: "filters-told" }, own.map(operatorOf).join(", ")),
                  set.size ? h("span", { className: "filters-set" }, `set: ${set.join(", ")}`) : null)));
          }
          return h(React.Fragment, null, lines, open ? h(Original, props) : null);
        },
    },
  };
};
