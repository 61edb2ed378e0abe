package dev.graft.eval.suites;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Words by their kind, from which twins are generated. Words of test rows never occur in training rows, so that only a model that already
 * knows their meaning can answer.
 */
final class TwinVocabulary {
    private static final Map<String, String> KINDS = wordsOfKinds();

    private static Map<String, String> wordsOfKinds() {
        Map<String, String> kinds = new LinkedHashMap<>();
        kinds.put(
                "animal",
                "dog cat horse cow pig goat sheep wolf fox bear lion tiger monkey rabbit mouse deer snake frog"
                        + " eagle owl duck goose whale shark camel donkey turtle spider squirrel elephant");
        kinds.put(
                "food",
                "bread cheese butter soup cake apple banana orange rice pasta salad steak sausage pizza sandwich honey"
                        + " yogurt cookie chocolate potato tomato onion carrot pepper grape melon pie pancake omelette"
                        + " stew");
        kinds.put(
                "vehicle",
                "car bus truck train bicycle motorcycle boat ship ferry airplane helicopter tram van taxi tractor"
                        + " scooter wagon canoe yacht submarine ambulance sled carriage rocket jeep glider raft minibus");
        kinds.put(
                "tool",
                "hammer saw drill shovel rake axe wrench screwdriver pliers chisel knife scissors ladder broom"
                        + " brush spade hoe file clamp mallet trowel crowbar needle tweezers lathe anvil");
        kinds.put(
                "instrument",
                "piano violin guitar flute trumpet drum harp cello clarinet saxophone trombone banjo oboe"
                        + " accordion organ mandolin tuba lute xylophone bassoon viola ukulele harmonica bagpipe");
        kinds.put(
                "garment",
                "shirt coat jacket dress skirt hat scarf glove sock boot shoe sweater blouse belt robe suit"
                        + " vest trousers cap cloak apron sandal pajamas mitten");
        return kinds;
    }

    static final List<String> GOOD =
            words("wonderful excellent brilliant delightful charming superb lovely moving fresh clever touching"
                    + " hilarious beautiful gripping warm witty inspired elegant splendid thrilling magnificent graceful"
                    + " honest joyful");
    static final List<String> BAD = words("terrible awful boring dull stupid clumsy ugly tedious dreadful weak lazy"
            + " annoying pointless horrible messy shallow bland painful hopeless miserable disgusting ridiculous lifeless"
            + " pathetic");
    static final List<String> PEOPLE = words("Anna Peter Maria John Lucy Tom Sarah Paul Emma David Clara Simon");
    static final List<String> PLACES =
            words("garden kitchen market station school museum harbour hotel village hospital");

    private final Random random;
    private final Map<String, List<String>> kinds = new LinkedHashMap<>();
    private final long seed;
    private final boolean isTest;
    private final List<String> good;
    private final List<String> bad;

    /** @param isTest true for the third of the words reserved for tests, false for the others */
    TwinVocabulary(long seed, boolean isTest) {
        this.seed = seed;
        this.isTest = isTest;
        this.random = new Random(seed * 2 + (isTest ? 1 : 0));
        KINDS.forEach((kind, words) -> kinds.put(kind, part(words(words), seed, isTest)));
        this.good = part(GOOD, seed, isTest);
        this.bad = part(BAD, seed, isTest);
    }

    private static List<String> words(String text) {
        return List.of(text.split(" "));
    }

    private static List<String> part(List<String> words, long seed, boolean isTest) {
        List<String> shuffled = new ArrayList<>(words);
        Collections.shuffle(shuffled, new Random(seed));
        int kept = words.size() / 3;
        return isTest ? shuffled.subList(0, kept) : shuffled.subList(kept, shuffled.size());
    }

    List<String> kinds() {
        return List.copyOf(kinds.keySet());
    }

    String kind() {
        return any(kinds());
    }

    /** A kind that is another one. */
    String otherThan(String kind) {
        String other = kind();
        return other.equals(kind) ? otherThan(kind) : other;
    }

    String of(String kind) {
        return any(all(kind));
    }

    /** Some of a kind, none twice. */
    List<String> several(String kind, int count) {
        List<String> shuffled = new ArrayList<>(all(kind));
        Collections.shuffle(shuffled, random);
        return shuffled.subList(0, count);
    }

    String good() {
        return any(good);
    }

    String bad() {
        return any(bad);
    }

    /** All of a kind. */
    List<String> all(String kind) {
        return kinds.getOrDefault(kind, List.of());
    }

    /** Returns this vocabulary's part of some other words. */
    List<String> own(List<String> words) {
        return part(words, seed, isTest);
    }

    String any(List<String> words) {
        return words.get(random.nextInt(words.size()));
    }

    int below(int bound) {
        return random.nextInt(bound);
    }

    boolean coin() {
        return random.nextBoolean();
    }

    /** Returns a word with its article. */
    static String a(String word) {
        return ("aeiou".indexOf(word.charAt(0)) >= 0 && !word.equals("ukulele") ? "an " : "a ") + word;
    }
}
