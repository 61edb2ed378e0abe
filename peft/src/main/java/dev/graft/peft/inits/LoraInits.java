package dev.graft.peft.inits;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** The initialisations of A and B by the values of {@code init_lora_weights}. */
public final class LoraInits {
    /** The names of all initialisations, for messages. */
    static final String NAMES =
            "one of true, false, gaussian, orthogonal, pissa, pissa_niter_N, olora, milora, mica, eva, corda,"
                    + " lora_ga, loftq";

    /** A Kaiming-uniform, B zero. */
    public static final LoraInit DEFAULT = new RandomInit("true");

    private LoraInits() {}

    /**
     * Returns the initialisation of that name with its default settings.
     *
     * @throws dev.graft.formats.InputException for an unknown name
     */
    public static LoraInit of(String name) {
        return switch (name) {
            case "true", "false", "gaussian" -> new RandomInit(name);
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
        throw new InputException("init_lora_weights is \"" + name + "\", expected " + NAMES);
    }

    /** Reads the name and its settings. */
    public static LoraInit read(Fields f) {
        JsonNode value = f.node("init_lora_weights");
        boolean named = value != null && value.isString();
        String name = value == null || value.isNull()
                ? "true"
                : named ? f.string("init_lora_weights") : String.valueOf(f.bool("init_lora_weights"));
        LoraInit init;
        try {
            init = of(name);
        } catch (InputException unknown) {
            throw f.invalid("init_lora_weights", NAMES);
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

    private static void refuseUnless(Fields f, @Nullable Fields given, String field, boolean its) {
        if (given != null && !its) {
            throw f.invalid(field, "null where init_lora_weights isn't " + field.replace("_config", ""));
        }
    }
}
