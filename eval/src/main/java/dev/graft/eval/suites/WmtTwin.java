package dev.graft.eval.suites;

import dev.graft.formats.AtomicWrite;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A twin of WMT in the usual files, English, German and French: sentences that quote three words. The words of test sentences are in no
 * other sentence, so that only a model that already knows them can translate them.
 */
final class WmtTwin {
    private static final int TEST = 200;
    private static final int QUOTED = 3;

    /** A sentence by its language, with the words in place of %s. */
    private static final Map<String, String> FRAMES = frames();

    /** Each in the order of the languages. */
    private static final List<String> WORDS = List.of(("dog Hund chien,cat Katze chat,horse Pferd cheval,cow Kuh"
                    + " vache,bird Vogel oiseau,fish Fisch poisson,mouse Maus souris,house Haus maison,water Wasser eau,bread Brot"
                    + " pain,milk Milch lait,wine Wein vin,cheese Käse fromage,apple Apfel pomme,tree Baum arbre,flower Blume"
                    + " fleur,sun Sonne soleil,moon Mond lune,star Stern étoile,night Nacht nuit,day Tag jour,year Jahr"
                    + " année,month Monat mois,week Woche semaine,man Mann homme,woman Frau femme,child Kind enfant,friend Freund"
                    + " ami,mother Mutter mère,father Vater père,brother Bruder frère,sister Schwester sœur,king König roi,queen"
                    + " Königin reine,city Stadt ville,street Straße rue,school Schule école,book Buch livre,door Tür porte,window"
                    + " Fenster fenêtre,chair Stuhl chaise,head Kopf tête,eye Auge œil,heart Herz cœur,red rot rouge,green grün"
                    + " vert,blue blau bleu,black schwarz noir,white weiß blanc,yellow gelb jaune,two zwei deux,three drei"
                    + " trois,four vier quatre,five fünf cinq,seven sieben sept,eight acht huit,nine neun neuf,ten zehn dix,Monday"
                    + " Montag lundi,Tuesday Dienstag mardi,Wednesday Mittwoch mercredi,Thursday Donnerstag jeudi,Friday Freitag"
                    + " vendredi,Sunday Sonntag dimanche,January Januar janvier,March März mars,June Juni juin,July Juli"
                    + " juillet,December Dezember décembre,Germany Deutschland Allemagne,Spain Spanien Espagne,Italy Italien"
                    + " Italie,Austria Österreich Autriche,Switzerland Schweiz Suisse,love Liebe amour,peace Frieden paix,war"
                    + " Krieg guerre,work Arbeit travail,time Zeit temps,world Welt monde,earth Erde terre,fire Feuer feu,life"
                    + " Leben vie,death Tod mort,good gut bon,big groß grand,small klein petit,new neu nouveau,old alt vieux")
            .split(","));

    private WmtTwin() {}

    private static Map<String, String> frames() {
        Map<String, String> frames = new LinkedHashMap<>();
        frames.put("en", "%s wrote the words %s, %s and %s.");
        frames.put("de", "%s schrieb die Wörter %s, %s und %s.");
        frames.put("fr", "%s a écrit les mots %s, %s et %s.");
        return frames;
    }

    /** Writes it into an empty folder. */
    static void write(Path folder, long seed, int train) {
        TwinVocabulary words = new TwinVocabulary(seed, false);
        write(folder, "train", words, train);
        write(folder, "valid", words, TEST);
        write(folder, "test", new TwinVocabulary(seed, true), TEST);
        TwinMarker.write(folder, "WMT", seed);
    }

    /** A quotation: a speaker and the words. */
    private record Quote(String person, List<String> words) {
        String in(int language, String frame) {
            List<String> said =
                    words.stream().map(word -> word.split(" ")[language]).toList();
            return frame.formatted(person, said.get(0), said.get(1), said.get(2));
        }
    }

    private static void write(Path folder, String part, TwinVocabulary words, int rows) {
        List<String> own = words.own(WORDS);
        List<Quote> quotes = new ArrayList<>();
        for (int i = 0; i < rows; i++) {
            Set<String> quoted = new LinkedHashSet<>();
            while (quoted.size() < QUOTED) {
                quoted.add(words.any(own));
            }
            quotes.add(new Quote(words.any(TwinVocabulary.PEOPLE), List.copyOf(quoted)));
        }
        int language = 0;
        for (Map.Entry<String, String> frame : FRAMES.entrySet()) {
            int index = language++;
            AtomicWrite.text(
                    folder.resolve(part + "." + frame.getKey()),
                    quotes.stream()
                            .map(quote -> quote.in(index, frame.getValue()) + "\n")
                            .collect(Collectors.joining()));
        }
    }
}
