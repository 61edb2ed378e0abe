package dev.graft.eval.claims;

import java.util.List;
import java.util.Locale;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What an experiment found about a claim.
 *
 * @param parts the differences that it rests on
 */
public record Finding(Claim claim, Verdict verdict, List<Part> parts) {
    public Finding {
        parts = List.copyOf(parts);
    }

    /**
     * A difference.
     *
     * @param what it is between, and where
     * @param condition that it must meet
     */
    public record Part(String what, Effect effect, String condition, Verdict verdict) {}

    static Finding untested(Claim claim) {
        return new Finding(claim, Verdict.UNTESTED, List.of());
    }

    static Finding of(Claim claim, Part... parts) {
        List<Part> all = List.of(parts);
        return new Finding(claim, Verdict.all(all.stream().map(Part::verdict).toList()), all);
    }

    public ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("claim", claim.id());
        json.put("statement", claim.statement());
        json.put("verdict", verdict.name().toLowerCase(Locale.ROOT));
        ArrayNode list = json.putArray("effects");
        for (Part part : parts) {
            ObjectNode one = list.addObject();
            one.put("what", part.what());
            one.put("value", part.effect().value());
            if (!Double.isNaN(part.effect().low())) {
                one.putArray("interval")
                        .add(part.effect().low())
                        .add(part.effect().high());
            }
            one.put("condition", part.condition());
            one.put("verdict", part.verdict().name().toLowerCase(Locale.ROOT));
        }
        return json;
    }
}
