package dev.graft.eval.claims;

import java.util.List;
import java.util.Locale;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The result of an experiment about a claim.
 *
 * @param claim the claim's id, {@code a} to {@code g}
 * @param statement the claim in words
 * @param evidence the differences that decide the verdict
 */
public record Finding(String claim, String statement, ClaimVerdict verdict, List<Evidence> evidence) {
    public Finding {
        evidence = List.copyOf(evidence);
    }

    /**
     * A difference and its verdict.
     *
     * @param what the methods and the task that are compared
     * @param condition the condition that the difference must meet
     */
    public record Evidence(String what, EffectSize effect, String condition, ClaimVerdict verdict) {}

    public ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("claim", claim);
        json.put("statement", statement);
        json.put("verdict", verdict.name().toLowerCase(Locale.ROOT));
        ArrayNode list = json.putArray("effects");
        for (Evidence evidence : evidence) {
            ObjectNode one = list.addObject();
            one.put("what", evidence.what());
            one.put("value", evidence.effect().value());
            if (!Double.isNaN(evidence.effect().low())) {
                one.putArray("interval")
                        .add(evidence.effect().low())
                        .add(evidence.effect().high());
            }
            one.put("condition", evidence.condition());
            one.put("verdict", evidence.verdict().name().toLowerCase(Locale.ROOT));
        }
        return json;
    }
}
