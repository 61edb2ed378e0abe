package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateValues.Function;
import dev.graft.models.chat.internal.TemplateValues.Loop;
import dev.graft.models.chat.internal.TemplateValues.Namespace;
import dev.graft.models.chat.internal.TemplateValues.Undefined;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Runs the statements of a template, once. */
final class Evaluator {

    private static final int MAX_MACRO_DEPTH = 100;
    /** Steps of loops and macros; no conversation needs as many. */
    private static final long MAX_STEPS = 2_000_000;

    private enum Flow {
        NEXT,
        BREAK,
        CONTINUE
    }

    private final ExpressionEvaluator expressions;
    private final List<int[]> generated = new ArrayList<>();
    private final StringBuilder printed = new StringBuilder();
    private StringBuilder out = printed;
    private int macroDepth;
    private long steps;

    Evaluator(Supplier<LocalDateTime> clock) {
        expressions = new ExpressionEvaluator(clock);
    }

    RenderedTemplate render(List<Node.Statement> body, Map<String, @Nullable Object> variables) {
        TemplateScope scope = new TemplateScope(null);
        variables.forEach(scope::set);
        run(body, scope);
        return new RenderedTemplate(printed.toString(), generated);
    }

    private Flow run(List<Node.Statement> body, TemplateScope scope) {
        for (Node.Statement statement : body) {
            Flow flow;
            try {
                flow = run(statement, scope);
            } catch (TemplateError e) {
                throw e.at(statement.line());
            }
            if (flow != Flow.NEXT) {
                return flow;
            }
        }
        return Flow.NEXT;
    }

    private Flow run(Node.Statement statement, TemplateScope scope) {
        if (statement instanceof Node.Data data) {
            print(data.text());
        } else if (statement instanceof Node.Output output) {
            print(PythonRepr.str(value(output.value(), scope)));
        } else if (statement instanceof Node.If condition) {
            for (Node.Branch branch : condition.branches()) {
                if (PythonOperators.truth(value(branch.condition(), scope))) {
                    return run(branch.body(), scope);
                }
            }
            return run(condition.otherwise(), scope);
        } else if (statement instanceof Node.For loop) {
            return loop(loop, scope);
        } else if (statement instanceof Node.Set set) {
            assign(set.target(), value(set.value(), scope), scope);
        } else if (statement instanceof Node.SetBlock set) {
            String text = captured(set.body(), new TemplateScope(scope));
            assign(set.target(), expressions.withCaptured(text, set.value(), scope), scope);
        } else if (statement instanceof Node.Macro macro) {
            scope.set(macro.name(), macro(macro.name(), macro.parameters(), macro.body(), scope));
        } else if (statement instanceof Node.CallBlock block) {
            Function caller = macro("caller", block.parameters(), block.body(), scope);
            print(PythonRepr.str(expressions.call(block.call(), scope, Map.of("caller", caller))));
        } else if (statement instanceof Node.Generation generation) {
            return generation(generation, scope);
        } else {
            return statement instanceof Node.Break ? Flow.BREAK : Flow.CONTINUE;
        }
        return Flow.NEXT;
    }

    private @Nullable Object value(Node.Expression expression, TemplateScope scope) {
        return expressions.value(expression, scope);
    }

    private void print(String text) {
        PythonOperators.requireShort((long) out.length() + text.length());
        out.append(text);
    }

    private void step() {
        if (++steps > MAX_STEPS) {
            throw new TemplateError("takes more than " + MAX_STEPS + " steps");
        }
    }

    private String captured(List<Node.Statement> body, TemplateScope scope) {
        StringBuilder outer = out;
        out = new StringBuilder();
        try {
            run(body, scope);
            return out.toString();
        } finally {
            out = outer;
        }
    }

    private Flow generation(Node.Generation generation, TemplateScope scope) {
        if (out != printed) {
            throw new TemplateError(
                    "a generation block inside of a macro or a captured block has no place in the text");
        }
        int start = PythonString.length(printed.toString());
        print(captured(generation.body(), new TemplateScope(scope)));
        generated.add(new int[] {start, PythonString.length(printed.toString())});
        return Flow.NEXT;
    }

    private Flow loop(Node.For node, TemplateScope scope) {
        List<@Nullable Object> items = PythonSequences.items(value(node.over(), scope));
        Node.Expression filter = node.filter();
        if (filter != null) {
            List<@Nullable Object> kept = new ArrayList<>();
            for (Object item : items) {
                step();
                TemplateScope tested = new TemplateScope(scope);
                assign(node.target(), item, tested);
                if (PythonOperators.truth(value(filter, tested))) {
                    kept.add(item);
                }
            }
            items = kept;
        }
        @Nullable Object[] lastChange = {null};
        for (int i = 0; i < items.size(); i++) {
            step();
            TemplateScope inner = new TemplateScope(scope);
            inner.set("loop", loopVariable(items, i, lastChange));
            assign(node.target(), items.get(i), inner);
            if (run(node.body(), inner) == Flow.BREAK) {
                break;
            }
        }
        return items.isEmpty() ? run(node.otherwise(), new TemplateScope(scope)) : Flow.NEXT;
    }

    private static Loop loopVariable(List<@Nullable Object> items, int i, @Nullable Object[] lastChange) {
        int n = items.size();
        Map<String, @Nullable Object> loop = new LinkedHashMap<>();
        loop.put("index", i + 1L);
        loop.put("index0", (long) i);
        loop.put("revindex", (long) (n - i));
        loop.put("revindex0", (long) (n - i - 1));
        loop.put("first", i == 0);
        loop.put("last", i == n - 1);
        loop.put("length", (long) n);
        loop.put("depth", 1L); // counts recursive loops, which are not supported
        loop.put("depth0", 0L);
        loop.put("previtem", i == 0 ? new Undefined("there is no previous item") : items.get(i - 1));
        loop.put("nextitem", i == n - 1 ? new Undefined("there is no next item") : items.get(i + 1));
        loop.put("cycle", new Function("loop.cycle", (positional, named) -> {
            if (positional.isEmpty()) {
                throw new TemplateError("no items for cycling given");
            }
            return positional.get(i % positional.size());
        }));
        loop.put("changed", new Function("loop.changed", (positional, named) -> {
            boolean changed = !PythonOperators.equal(lastChange[0], positional);
            lastChange[0] = positional;
            return changed;
        }));
        return new Loop(loop);
    }

    private void assign(Node.Target target, @Nullable Object value, TemplateScope scope) {
        if (target instanceof Node.Name name) {
            scope.set(name.name(), value);
        } else if (target instanceof Node.NamespaceName name) {
            if (!(scope.get(name.namespace()) instanceof Namespace namespace)) {
                throw new TemplateError("cannot assign attribute on non-namespace object " + name.namespace());
            }
            if (name.attribute().startsWith("_")) {
                throw new TemplateError(
                        "cannot store the underscore-prefixed attribute " + name.attribute() + " on a namespace");
            }
            namespace.attributes().put(name.attribute(), value);
        } else if (target instanceof Node.Targets targets) {
            List<@Nullable Object> values = PythonSequences.items(value);
            if (values.size() != targets.items().size()) {
                throw new TemplateError(
                        values.size() + " values for " + targets.items().size() + " names");
            }
            for (int i = 0; i < values.size(); i++) {
                assign(targets.items().get(i), values.get(i), scope);
            }
        }
    }

    private Function macro(
            String name, List<Node.Parameter> parameters, List<Node.Statement> body, TemplateScope defined) {
        return new Function(name, (positional, named) -> {
            step();
            if (++macroDepth > MAX_MACRO_DEPTH) {
                throw new TemplateError("the macro " + name + " recurses deeper than " + MAX_MACRO_DEPTH);
            }
            try {
                TemplateScope scope = new TemplateScope(defined);
                bind(name, parameters, positional, named, scope);
                return captured(body, scope);
            } finally {
                macroDepth--;
            }
        });
    }

    private void bind(
            String macro,
            List<Node.Parameter> parameters,
            List<@Nullable Object> positional,
            Map<String, @Nullable Object> named,
            TemplateScope scope) {
        if (positional.size() > parameters.size()) {
            throw new TemplateError("macro '" + macro + "' takes not more than " + parameters.size() + " argument(s)");
        }
        Set<String> unknown = new HashSet<>(named.keySet());
        for (int i = 0; i < parameters.size(); i++) {
            Node.Parameter parameter = parameters.get(i);
            String name = parameter.name();
            unknown.remove(name);
            Node.Expression fallback = parameter.fallback();
            if (i < positional.size()) {
                if (named.containsKey(name)) {
                    throw new TemplateError("macro '" + macro + "' got multiple values for argument '" + name + "'");
                }
                scope.set(name, positional.get(i));
            } else if (named.containsKey(name)) {
                scope.set(name, named.get(name));
            } else if (fallback != null) {
                scope.set(name, value(fallback, scope));
            } else {
                scope.set(name, new Undefined("parameter '" + name + "' was not provided"));
            }
        }
        if (unknown.remove("caller")) {
            scope.set("caller", named.get("caller"));
        }
        if (!unknown.isEmpty()) {
            throw new TemplateError("macro '" + macro + "' takes no keyword argument '"
                    + unknown.iterator().next() + "'");
        }
    }
}
