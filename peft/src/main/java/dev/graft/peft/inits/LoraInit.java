package dev.graft.peft.inits;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * How A {@code [r, in]} and B {@code [out, r]} of a linear layer start: {@code init_lora_weights}. On an embedding A starts at zero and B
 * normal, but for {@code false}, where both are normal.
 */
public interface LoraInit {
    /** A Kaiming-uniform, B zero. */
    LoraInit DEFAULT = new Plain("true");

    /** What becomes of the base's own part in A and B. */
    enum Offset {
        /** Nothing: B A is zero at the start, or isn't meant to be. */
        NONE,
        /** It is taken off, and found again from the base's weight alone when an adapter is loaded. */
        OF_BASE,
        /** It is taken off, and can't be found again: files hold a plain LoRA of twice the rank, [A; A₀] and [B, -B₀]. */
        OF_DATA
    }

    /** The value of {@code init_lora_weights}. */
    String name();

    /** A and B at a place. */
    Factors factors(Place place);

    /** What becomes of the base's own part in A and B. */
    default Offset offset() {
        return Offset.NONE;
    }

    /** Whether B is trained. */
    default boolean trainsB() {
        return true;
    }

    /** Whether it looks at calibration data. */
    default boolean needsData() {
        return false;
    }

    /** Writes the settings that it has beside its name. */
    default void write(ObjectNode config) {}

    /** The start of that name with its default settings. */
    static LoraInit of(String name) {
        return switch (name) {
            case "true", "false", "gaussian" -> new Plain(name);
            case "orthogonal" -> new Orthogonal();
            case "olora" -> new Olora();
            case "milora" -> new Milora();
            case "mica" -> new Mica();
            case "eva" -> Eva.DEFAULT;
            case "corda" -> Corda.DEFAULT;
            case "lora_ga" -> LoraGa.DEFAULT;
            case "loftq" -> Loftq.DEFAULT;
            default -> pissa(name);
        };
    }

    private static LoraInit pissa(String name) {
        if (name.equals("pissa")) {
            return new Pissa(0);
        }
        if (name.matches("pissa_niter_[1-9][0-9]{0,3}")) {
            return new Pissa(Integer.parseInt(name.substring("pissa_niter_".length())));
        }
        throw new InputException("init_lora_weights is \"" + name + "\", expected one of true, false, gaussian,"
                + " orthogonal, pissa, pissa_niter_N, olora, milora, mica, eva, corda, lora_ga, loftq");
    }

    /** Reads the name and the settings that belong to it. */
    static LoraInit read(Fields f) {
        JsonNode value = f.node("init_lora_weights");
        boolean named = value != null && value.isString();
        String name = value == null || value.isNull()
                ? "true"
                : named ? f.string("init_lora_weights") : String.valueOf(f.bool("init_lora_weights"));
        LoraInit init;
        try {
            init = of(name);
        } catch (InputException unknown) {
            throw f.wrong(
                    "init_lora_weights", String.valueOf(unknown.getMessage()).replaceFirst("^.*?, expected ", ""));
        }
        Fields eva = f.objectOrNull("eva_config");
        Fields corda = f.objectOrNull("corda_config");
        Fields loraGa = f.objectOrNull("lora_ga_config");
        // PEFT writes an empty one where there is none.
        Fields loftq = f.objectOrNull("loftq_config");
        if (loftq != null && loftq.names().isEmpty()) {
            loftq = null;
        }
        refuseUnless(f, loftq, "loftq_config", init instanceof Loftq);
        if (init instanceof Loftq) {
            return Loftq.read(loftq);
        }
        refuseUnless(f, eva, "eva_config", init instanceof Eva);
        refuseUnless(f, corda, "corda_config", init instanceof Corda);
        refuseUnless(f, loraGa, "lora_ga_config", init instanceof LoraGa);
        if (eva != null) {
            return Eva.read(eva);
        }
        if (corda != null) {
            return Corda.read(corda);
        }
        return loraGa == null ? init : LoraGa.read(loraGa);
    }

    private static void refuseUnless(
            Fields f, @org.jspecify.annotations.Nullable Fields given, String field, boolean its) {
        if (given != null && !its) {
            throw f.wrong(field, "null where init_lora_weights isn't " + field.replace("_config", ""));
        }
    }
}
