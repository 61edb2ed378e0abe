package dev.graft.run.methods;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.peft.BaseMismatchException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;

/** Linear layers chosen by what they are for, as the names that PEFT's files have. */
public final class RoleTargets {
    private RoleTargets() {}

    /** The roles that a word means: a role, {@code attention}, {@code mlp} or {@code all-linear}; empty if it is none. */
    static Set<Role> of(String word) {
        String plain = word.toLowerCase(Locale.ROOT);
        switch (plain) {
            case "attention":
                return EnumSet.of(Role.QUERY, Role.KEY, Role.VALUE, Role.QUERY_KEY_VALUE, Role.OUTPUT);
            case "mlp", "feed-forward":
                return EnumSet.of(Role.GATE, Role.UP, Role.GATE_UP, Role.DOWN);
            case "all-linear":
                return EnumSet.complementOf(EnumSet.of(Role.HEAD, Role.ROUTER, Role.PATCH, Role.CONVOLUTION));
            default:
                for (Role role : Role.values()) {
                    if (role.name().toLowerCase(Locale.ROOT).equals(plain) && role != Role.HEAD) {
                        return EnumSet.of(role);
                    }
                }
                return Set.of();
        }
    }

    /**
     * Names in which every word that is a role and no module's name stands for its layers.
     *
     * @throws BaseMismatchException if the base has no layer of that role
     */
    static List<String> resolve(Base base, List<String> words) {
        List<String> names = new ArrayList<>();
        for (String word : words) {
            Set<Role> roles = isName(base, word) ? Set.of() : of(word);
            if (roles.isEmpty()) {
                names.add(word);
                continue;
            }
            List<String> ofRoles = names(base, roles);
            if (ofRoles.isEmpty()) {
                throw new BaseMismatchException(
                        "target_modules: " + base.name() + " has no layer for \"" + word + "\"");
            }
            names.addAll(ofRoles);
        }
        return names.stream().distinct().toList();
    }

    /** Names of all linear layers but the head and the pooler. */
    static List<String> resolveWithoutPooler(Base base) {
        Set<Role> roles = EnumSet.copyOf(of("all-linear"));
        roles.remove(Role.POOLER);
        return names(base, roles);
    }

    private static List<String> names(Base base, Set<Role> roles) {
        List<Projection> layers = new ArrayList<>();
        for (Site site : base.sites()) {
            if (site instanceof Projection layer && roles.contains(layer.role())) {
                layers.add(layer);
            }
        }
        List<String> ends = ends(base, layers);
        return ends.isEmpty() ? layers.stream().map(Projection::name).toList() : ends;
    }

    /** Returns whether a linear layer, convolution or embedding has this name, or a path that ends with it. */
    static boolean isName(Base base, String word) {
        return base.sites().stream()
                .filter(site -> site instanceof Projection || site instanceof Embedding)
                .anyMatch(site -> site.name().equals(word) || site.name().endsWith("." + word));
    }

    /** The shortest ends of names that choose these layers and no others; empty if there are none. */
    public static List<String> ends(Base base, List<Projection> wanted) {
        for (int parts = 1; parts <= 3; parts++) {
            TreeSet<String> ends = new TreeSet<>();
            for (Projection layer : wanted) {
                ends.add(end(layer.name(), parts));
            }
            long chosen = base.sites().stream()
                    .filter(site -> ends.stream()
                            .anyMatch(end ->
                                    site.name().equals(end) || site.name().endsWith("." + end)))
                    .filter(Projection.class::isInstance)
                    .count();
            boolean numbered = ends.stream().anyMatch(end -> end.matches("(.*\\.)?\\d+(\\..*)?"));
            if (chosen == wanted.size() && !numbered) {
                return List.copyOf(ends);
            }
        }
        return List.of();
    }

    private static String end(String name, int parts) {
        int at = name.length();
        for (int i = 0; i < parts && at > 0; i++) {
            at = name.lastIndexOf('.', at - 1);
        }
        return name.substring(Math.max(0, at + 1));
    }

    /**
     * The layers that {@code 2-5}, {@code 2-} (to the last), {@code -3} (the last three) or {@code 4} means.
     *
     * @throws BaseMismatchException if it means none of the base's layers
     */
    static List<Integer> layers(Base base, String range) {
        int count = base.backbone().layers();
        String trimmed = range.strip();
        int dash = trimmed.indexOf('-');
        try {
            int first;
            int last = count - 1;
            if (dash < 0) {
                first = Integer.parseInt(trimmed);
                last = first;
            } else if (dash == 0) {
                first = count - Integer.parseInt(trimmed.substring(1));
            } else {
                first = Integer.parseInt(trimmed.substring(0, dash));
                String end = trimmed.substring(dash + 1);
                last = end.isEmpty() ? last : Integer.parseInt(end);
            }
            if (first >= 0 && first <= last && last < count) {
                List<Integer> layers = new ArrayList<>();
                for (int layer = first; layer <= last; layer++) {
                    layers.add(layer);
                }
                return layers;
            }
        } catch (NumberFormatException notANumber) {
            throw new InputException("layers is \"" + range + "\", expected a range such as 2-5, 2- or -3", notANumber);
        }
        throw new BaseMismatchException(
                "layers is \"" + range + "\", but " + base.name() + " has the layers 0 to " + (count - 1));
    }
}
