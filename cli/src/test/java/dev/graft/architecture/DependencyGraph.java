package dev.graft.architecture;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * Units of code, types or packages, and the arrows between them.
 *
 * @param arrows for each unit, the units that it uses and one place of each use
 */
record DependencyGraph(Map<String, Map<String, String>> arrows) {

    /** Returns the graph of the units that the classes belong to. Uses of classes outside the collection are left out. */
    static DependencyGraph of(JavaClasses classes, Function<JavaClass, String> unitOf) {
        Map<String, Map<String, String>> arrows = new TreeMap<>();
        for (JavaClass type : classes) {
            String unit = unitOf.apply(type);
            Map<String, String> uses = arrows.computeIfAbsent(unit, name -> new TreeMap<>());
            for (Dependency use : type.getDirectDependenciesFromSelf()) {
                JavaClass target = use.getTargetClass().getBaseComponentType();
                if (classes.contain(target.getName()) && !unitOf.apply(target).equals(unit)) {
                    uses.putIfAbsent(unitOf.apply(target), use.getDescription());
                }
            }
        }
        return new DependencyGraph(arrows);
    }

    /** Returns a shortest circle of each strongly connected component, one arrow with its place per line. */
    List<String> circles() {
        return new Components().find().stream().map(this::describe).toList();
    }

    private String describe(Set<String> component) {
        List<String> circle = shortestCircle(component);
        StringBuilder text = new StringBuilder(
                "a circle of " + circle.size() + " in a knot of " + component.size() + " " + component);
        for (int i = 0; i < circle.size(); i++) {
            String from = circle.get(i);
            String to = circle.get((i + 1) % circle.size());
            text.append("\n    ").append(from).append(" -> ").append(to).append(": ");
            text.append(usesOf(from).get(to));
        }
        return text.toString();
    }

    private List<String> shortestCircle(Set<String> component) {
        List<String> best = List.of();
        for (String start : component) {
            List<String> circle = circleThrough(start, component);
            best = best.isEmpty() || circle.size() < best.size() ? circle : best;
        }
        return best;
    }

    /** Searches breadth-first from a unit back to itself. */
    private List<String> circleThrough(String start, Set<String> component) {
        Map<String, List<String>> paths = new LinkedHashMap<>(Map.of(start, List.of(start)));
        Deque<String> queue = new ArrayDeque<>(Set.of(start));
        while (!queue.isEmpty()) {
            String unit = queue.remove();
            List<String> path = paths.get(unit);
            for (String next : usesOf(unit).keySet()) {
                if (next.equals(start)) {
                    return path;
                }
                if (component.contains(next) && !paths.containsKey(next)) {
                    List<String> longer = new ArrayList<>(path);
                    longer.add(next);
                    paths.put(next, longer);
                    queue.add(next);
                }
            }
        }
        throw new IllegalArgumentException(start + " is in no circle of " + component);
    }

    private Map<String, String> usesOf(String unit) {
        return arrows.getOrDefault(unit, Map.of());
    }

    /** Tarjan's search for strongly connected components of more than one unit. */
    private final class Components {
        private final Map<String, Integer> order = new HashMap<>();
        private final Map<String, Integer> lowest = new HashMap<>();
        private final Deque<String> stack = new ArrayDeque<>();
        private final Set<String> onStack = new HashSet<>();
        private final List<Set<String>> components = new ArrayList<>();

        Collection<Set<String>> find() {
            arrows.keySet().stream().filter(unit -> !order.containsKey(unit)).forEach(this::visit);
            return components;
        }

        private void visit(String unit) {
            order.put(unit, order.size());
            lowest.put(unit, order.get(unit));
            stack.push(unit);
            onStack.add(unit);
            for (String next : usesOf(unit).keySet()) {
                if (!order.containsKey(next)) {
                    visit(next);
                    lowest.merge(unit, lowest.get(next), Math::min);
                } else if (onStack.contains(next)) {
                    lowest.merge(unit, order.get(next), Math::min);
                }
            }
            if (lowest.get(unit).equals(order.get(unit))) {
                close(unit);
            }
        }

        private void close(String root) {
            Set<String> component = new TreeSet<>();
            String unit;
            do {
                unit = stack.pop();
                onStack.remove(unit);
                component.add(unit);
            } while (!unit.equals(root));
            if (component.size() > 1) {
                components.add(component);
            }
        }
    }
}
