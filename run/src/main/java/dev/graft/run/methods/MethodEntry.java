package dev.graft.run.methods;

import java.util.List;

/**
 * The description of a method in the catalogue.
 *
 * @param builtIn true if the method is Graft's own; little is known of one from another jar
 * @param family the methods that it is one of: {@code lora}, {@code prompt}, …
 * @param effects the kinds of its effects: {@code delta}, {@code prompt}, …
 * @param adaptedKinds the kinds of the sites that it adapts, by default or as targets: {@code linear}, {@code norm}, …
 * @param documentation formula, tensors, cost and an example as lines; examples are indented
 * @param options by name
 */
public record MethodEntry(
        boolean builtIn,
        String family,
        List<String> effects,
        List<String> adaptedKinds,
        String documentation,
        List<MethodOption> options) {}
