/*
 * A first row that may or may not name the columns, and columns that go by their numbers: signs that speak against each
 * other, each as files of people have it.
 */
#include "tests/unit/layout_files.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"

#include <stdlib.h>

#define TWICE(rows) rows rows
#define TEN(rows) TWICE(rows) TWICE(rows) TWICE(rows) TWICE(rows) TWICE(rows)
#define MAILS "a@b.de,the printer is broken\nc@d.de,please help me with it\n"
#define LONG "the film was good and long\nit was bad from the beginning\n"
#define JUDGED SET(.label_column = "2")

static char bad[] = "neg", good[] = "pos", ham[] = "ham", spam[] = "spam", zero[] = "0", one[] = "1";
static char *of_reviews[] = { bad, good }, *of_mails[] = { ham, spam }, *of_numbers[] = { zero, one };
static const struct sp_labels reviews = { of_reviews, 2 }, mails = { of_mails, 2 }, numbers = { of_numbers, 2 };

/* Files as wide as training's, that are another's: where the label was, there are no labels. */
static void test_other_header(void **state)
{
    const struct sp_data_layout named = used("Nachricht", 1, NULL, 0, "Urteil", 2, 2),
                                numbered = used(NULL, 1, NULL, 0, NULL, 2, 2);
    const struct sp_data_layout *const trained[] = { &named, &numbered };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct sp_dataset_options *input = INPUT(.remembered = trained[i], .labels = &reviews);

        finds("t.csv", "Email,Anliegen\n" MAILS, input, "Anliegen - - H, 2");
        finds("t.csv", "Kunde,Nachrichtentext\nMaier,good film but bad\nHuber,bad film not nice\n", input,
              "Nachrichtentext - - H, 2");
        finds("t.csv", "Ticketnummer,Schilderung\nTK-17,good film but bad\nTK-18,bad film not nice\n", input,
              "Schilderung - - H, 2");
        finds("t.csv", "Anliegen,Sprache\nthe printer is broken,de\nplease help me with it,de\n", input,
              "Anliegen - - H, 2");
        finds("t.csv", "Anliegen,Bemerkung\nthe printer is broken,\nplease help me with it,\n", input,
              "Anliegen - - H, 2");
        finds("t.csv",
              "Timestamp,What did you like about the course?\n2020/01/03 10:11:12 AM GMT+1,the teacher was good\n"
              "2020/01/04 10:11:12 AM GMT+1,nothing was good\n",
              input, "What did you like about the course? - - H, 2");
        /* labels, where they were */
        finds("t.csv", "Satz,Klasse\nthe film was good,neg\nit was bad,pos\n", input, "Satz - - H, 2");
        refuses("t.csv",
                "Betreff,Anliegen\nthe printer again,the printer is broken\nplease help,please help me with it\n",
                input, "more than one column could be the text");
    }
    instead("t.csv", "Email,Anliegen\n" MAILS, INPUT(.remembered = &named, .labels = &reviews),
            "training used column \"Nachricht\", which this file does not have; read instead: column 2 \"Anliegen\"");
}

/* Files without names: a number is believed where its column holds what training's held. */
static void test_other_columns(void **state)
{
    const struct sp_data_layout named = used("Nachricht", 1, NULL, 0, "Urteil", 2, 2),
                                numbered = used(NULL, 1, NULL, 0, NULL, 2, 2),
                                third = used("Text", 2, NULL, 0, "Urteil", 3, 3),
                                score = used(NULL, 1, NULL, 0, NULL, 2, 2);
    const struct sp_dataset_options *by_name = INPUT(.remembered = &named, .labels = &reviews),
                                    *by_number = INPUT(.remembered = &numbered, .labels = &reviews),
                                    *of_three = INPUT(.remembered = &third, .labels = &reviews);
    static const char ids[] = "1000,the film was good\n1001,it was bad from the beginning\n",
                      labels_first[] = "neg,the film was good\npos,it was bad from the beginning\n",
                      users[] = "anna,the film was good\nuser1,it was bad from the beginning\n";

    (void)state;
    finds("t.csv", REVIEWS, by_name, "1 - 2 , 4");
    instead("t.csv", REVIEWS, by_name,
            "training used column \"Nachricht\", and this file names no columns; read instead: column 1");
    instead("t.csv", REVIEWS, by_number, NULL);
    finds("t.csv", ids, by_name, "2 - - , 2");
    instead("t.csv", ids, by_name,
            "training used column \"Nachricht\", and this file names no columns; read instead: column 2");
    instead("t.csv", ids, by_number, "training used column 1, and this file has others; read instead: column 2");
    finds("t.csv", labels_first, by_name, "2 - - , 2");
    finds("t.csv", labels_first, by_number, "2 - - , 2");
    finds("t.csv", users, by_name, "2 - - , 2");
    finds("t.csv", users, by_number, "2 - - , 2");
    refuses("t.csv", "a good film,but bad\nnot a film,it was nice\n", by_number,
            "more than one column could be the text");
    finds("t.csv", "the film was good,1000\nit was bad,1001\n", by_number, "1 - - , 2");
    instead("t.csv", "the film was good,1000\nit was bad,1001\n", by_number, NULL);
    finds("t.csv", "the film was good,web\nit was bad,web\n", of_three, "1 - - , 2");
    instead("t.csv", "the film was good,web\nit was bad,web\n", of_three,
            "training used column \"Text\", and this file names no columns; read instead: column 1");
    finds("t.csv", "the film was good,web\nit was bad,mail\n", of_three, "1 - - , 2");
    finds("t.csv", "ok,pos\nok,neg\nok,neg\n", by_number, "1 - 2 , 3"); /* labels where they were: laid out alike */
    finds("t.csv", "the film was good,2020-01-01,1\nit was bad,2020-01-01,2\n", of_three, "1 - - , 2");
    finds("t.csv", "7,the film was good\n8,it was bad\n", of_three, "2 - - , 2");
    finds("t.csv", "7,the film was good,pos\n8,it was bad,odd\n9,it was long,pos\n", of_three, "2 - 3 , 3");
    /* regression: no classes */
    finds("t.csv", "the film was good,3.5\nit was bad,1\n", INPUT(.remembered = &score), "1 - 2 , 2");
    finds("t.csv", "3.5,the film was good\n1,it was bad\n", INPUT(.remembered = &score), "2 - - , 2");
    finds("t.csv", "the film was good,1.0\nit was bad,00\n", INPUT(.remembered = &numbered, .labels = &numbers),
          "1 - 2 , 2");
    instead("t.csv", REVIEWS, SET(.remembered = &named, .labels = &reviews),
            "training used column \"Urteil\", and this file names no columns; read instead: column 2; "
            "training used column \"Nachricht\", and this file names no columns; read instead: column 1");
    refuses("t.csv", labels_first, SET(.remembered = &named, .labels = &reviews),
            "and where training's was, number 2, it has none of those labels");
    refuses("t.csv", "it was good\nit was bad\n", SET(.remembered = &numbered, .labels = &reviews),
            "the file has no header and one column; "
            "no row has a comma between columns: is it another delimiter? And training's was number 2, which it does "
            "not have");
    refuses("t.csv", "a b,x\nb a,y\n", SET(.remembered = &score),
            "and where training's was, number 2, it has no numbers");
}

/* Names of columns that are classes as well. */
static void test_class_as_name(void **state)
{
    const struct sp_dataset_options *input = INPUT(.labels = &mails);

    (void)state;
    finds("t.csv", "id,comment_text,spam,ham\na1,the film was good,0,1\na2,it was bad,1,0\n", input,
          "comment_text - - H, 2");
    finds("t.csv", "text,spam\nthe film was good,0\nit was bad,1\n", input, "text - - H, 2");
    finds("t.csv", "email,spam\nthe film was good,0\nit was bad,1\n", input, "email - - H, 2");
    finds("t.csv", "email,spam,ham\nthe film was good,0.1,0.2\nit was bad,0.1,0.3\n", input, "email - - H, 2");
    finds("t.csv", "email,spam\n" TWICE("the film was good,True\nit was bad,False\n"), input, "email - - H, 4");
    finds("t.csv", "text,spam\n" TWICE("the film was good,spam\nit was bad,ham\n"), JUDGED, "text - spam H, 4");
    finds("t.csv", "tweet_text,spam\n" TWICE("the film was good,spam\nit was bad,none\n"), JUDGED,
          "tweet_text - spam H, 4");
    finds("t.csv", "text,spam\n" TWICE("the film was good,spam\nit was bad,ham\n"), input, "text - - H, 4");
    finds("t.csv", "money,spam\n" TWICE("the film was good,spam\nit was bad,ham\n"), JUDGED, "1 - 2 , 5");
    finds("t.csv", "money,spam\nthe film was good,ham\nit was bad,ham\n", input, "1 - - , 3");
    finds("t.csv", "spam\nthe film was good\nit was bad\n", input, "1 - - , 3"); /* a list */
    finds("t.csv", "title,spam\n" TWICE("the film was good,spam\nit was bad,ham\n"), JUDGED, "1 - 2 , 5");
    instead("t.csv", "title,spam\n" TWICE("the film was good,spam\nit was bad,ham\n"), JUDGED,
            "its first row was read as a row, though \"title\" may be the name of a column; if it is, set has_header: "
            "true");
}

/* Headers that would be a class of their own: the first text is shorter than all others, and its label no other row
 * has. */
static void test_header_as_class(void **state)
{
    struct sp_buf text = SP_BUF(1 << 20);

    (void)state;
    finds("t.csv", "frase,etiqueta\n" TWICE("El producto es muy bueno,positivo\nNo me gusta nada,negativo\n"), JUDGED,
          "frase - etiqueta H, 4");
    finds("t.csv", "\xE3\x83\xAC\xE3\x83\x93,\xE3\x83\xA9\n"
          TWICE("\xE3\x81\xA8\xE3\x81\xA6\xE3\x82\x82,a\n\xE5\x85\xA8\xE7\x84\xB6\xE3\x83\x80,b\n"),
          JUDGED, "\xE3\x83\xAC\xE3\x83\x93 - \xE3\x83\xA9 H, 4");
    finds("t.csv", "ticket,team\n" TWICE("printer broken,IT Support\nsalary missing,Human Resources\n"), JUDGED,
          "ticket - team H, 4");
    finds("t.csv", "phrase,True?\nbad film,False\nnice film,True\nawful film,False\n", JUDGED, "phrase - True? H, 3");
    finds("t.csv", "phrase,is_spam\nbad film,False\nnice film,True\nawful film,False\n", JUDGED,
          "phrase - is_spam H, 3");
    finds("t.csv", "sent,lab\nok,A\nnot ok,B\nfine,A\nbad,C\n", JUDGED, "sent - lab H, 4");
    finds("t.csv", "\"Review\nText (de)\",\"Label\nclass\"\n" TEN("the film was good,p\nit was bad,n\n"), JUDGED,
          "Review\nText (de) - Label\nclass H, 20");
    instead("t.csv", "ticket,team\n" TWICE("printer broken,IT Support\nsalary missing,Human Resources\n"), JUDGED,
            "its first row was read as a header, though \"team\" may be a label; if it is, set has_header: false");
    instead("t.csv", "ticket,team\n" TEN("printer broken,IT Support\nsalary missing,Human Resources\n"), JUDGED, NULL);

    /* a header leaves one class */
    finds("t.csv", "great,yes\nbad film,no\nnice film,no\nawful film,no\n", JUDGED, "1 - 2 , 4");
    finds("t.csv", "great,x\nthe film was bad,y\nit was nice,z\n", JUDGED, "1 - 2 , 3"); /* no label returns */
    /* nor is it alone so short */
    finds("t.csv", "great,pos\nthe film was bad,neg\nbad,neg\nit was nice,zero\n", JUDGED, "1 - 2 , 4");
    finds("t.csv", "great,5\n" TEN("the film was bad,1\n"), JUDGED, "1 - 2 , 11");

    sp_buf_puts(&text, "Anfrage,Abteilung\n"); /* hardly a label returns, but texts are many */
    for (int i = 0; i < 30; i++)
        sp_buf_printf(&text, "the printer is broken,intent %c\n", 'A' + i * 4 / 5);
    finds("t.csv", text.data, JUDGED, "Anfrage - Abteilung H, 30");
    sp_buf_clear(&text);
    sp_buf_puts(&text, "Anfrage,Abteilung\n"); /* sorted: the first thousand rows show one class */
    for (int i = 0; i < 3000; i++)
        sp_buf_printf(&text, "the printer is broken,%c\n", i < 1500 ? 'A' : 'B');
    finds("t.csv", text.data, JUDGED, "Anfrage - Abteilung H, 3000");
    sp_buf_puts(&text, "it was nice,Abteilung\n"); /* and the last row has the first one's */
    finds("t.csv", text.data, JUDGED, "1 - 2 , 3002");
    sp_buf_free(&text);
}

/* Numbers below words: a survey's, and dates. */
static void test_types(void **state)
{
    (void)state;
    finds("t.csv", "Wie zufrieden waren Sie mit dem Kurs?,Note (1-5)\n" TEN("the film was good,5\nit was bad,3\n"),
          JUDGED, "Wie zufrieden waren Sie mit dem Kurs? - Note (1-5) H, 20");
    finds("t.csv", "\"Date, local\",Comment.\n" TEN("3,the film was good\n4,it was bad\n"), SET(.label_column = "1"),
          "Comment. - Date, local H, 20");
    finds("t.csv", "I did not like it at all.,Q1\n" TEN("the film was good,5\nit was bad,3\n"), JUDGED,
          "I did not like it at all. - Q1 H, 20");
    finds("t.csv", "I did not like it at all.,NA\n" TEN("the film was good,5\nit was bad,3\n"), JUDGED, "1 - 2 , 21");
    finds("t.csv", "I did not like it at all.,5+\n" TEN("the film was good,5\nit was bad,3\n"), JUDGED, "1 - 2 , 21");
    finds("t.csv", "I did not like it at all.,awful\nthe film was good,1\nit was bad,0\n", JUDGED, "1 - 2 , 3");
    finds("t.csv", "Zeitstempel,Was hat Ihnen gefallen?\n03.01.2020,der Lehrer war gut\n04.01.2020,nichts war gut\n",
          INPUT(0), "Was hat Ihnen gefallen? - - H, 2");
    finds("t.csv", "02.01.2020,Was hat Ihnen gefallen?\n03.01.2020,der Lehrer war gut\n04.01.2020,nichts war gut\n",
          INPUT(0), "2 - - , 3");
    finds("t.csv", "-,Was hat Ihnen gefallen?\n03.01.2020,der Lehrer war gut\n04.01.2020,nichts war gut\n", INPUT(0),
          "2 - - , 3");
}

/* A column of texts whose first one is short. */
static void test_list(void **state)
{
    const struct sp_data_layout none = used(NULL, 1, NULL, 0, NULL, 2, 2),
                                named = used("Nachricht", 1, NULL, 0, "Urteil", 2, 2);
    const struct sp_dataset_options *after_none = INPUT(.remembered = &none),
                                    *after_names = INPUT(.remembered = &named);

    (void)state;
    finds("t.csv", "great product\n" TEN(LONG), after_none, "1 - - , 21");
    finds("t.csv", "Hervorragend\n" TEN(LONG), after_none, "1 - - , 21");
    instead("t.csv", "Hervorragend\n" TEN(LONG), after_none,
            "its first row was read as a row, though \"Hervorragend\" may be the name of a column; if it is, set "
            "has_header: true");
    finds("t.csv", "Kommentar\n" TEN(LONG), after_none, "Kommentar - - H, 20"); /* names that people use */
    finds("t.csv", "RESE\xC3\x91" "A\n" TEN(LONG), after_none, "1 - - , 21"); /* the case of ASCII's letters alone */
    finds("t.csv", "Rese\xC3\xB1" "a\n" TEN(LONG), after_none, "Rese\xC3\xB1" "a - - H, 20");
    instead("t.csv", "Kommentar\n" TEN(LONG), INPUT(0), NULL);
    finds("t.csv", "great product\n" TEN(LONG), INPUT(0), "1 - - , 21");
    finds("t.csv", "Meldung\n" TEN(LONG), INPUT(0), "Meldung - - H, 20"); /* of texts, few are as short */
    instead("t.csv", "Great\n" TEN(LONG), INPUT(0),
            "its first row was read as a header, though \"Great\" may be a text; if it is, set has_header: false");
    instead("t.csv", "Great\n" TEN(LONG), after_names,
            "training used column \"Nachricht\", which this file does not have; read instead: column 1 \"Great\"; "
            "its first row was read as a header, though \"Great\" may be a text; if it is, set has_header: false");
    instead("t.csv", "Anna,Great\nPeter,it was bad\nMary,the film was good\n", INPUT(0),
            "its first row was read as a header, though \"Great\" may be a text; if it is, set has_header: false");
    finds("t.csv", "Great\n" TEN(LONG), INPUT(.has_header = SP_NO), "1 - - , 21");
    instead("t.csv", "Great\n" TEN(LONG), INPUT(.has_header = SP_YES), NULL);
    finds("t.csv", "Meldung\n" TEN(LONG), after_names, "Meldung - - H, 20");
    finds("t.csv", "Neue Meldung\n" TEN(LONG), after_names, "Neue Meldung - - H, 20");
    finds("t.csv", "review\n" TEN(LONG), after_none, "review - - H, 20"); /* a name that data sets use */
}

/* Names that are numbers, and names that are not there. */
static void test_options(void **state)
{
    const struct sp_data_layout named = used("Nachricht", 1, NULL, 0, "Urteil", 2, 2);
    static const char pandas[] = "0,1\na good film it is,pos\nbad it was not good,neg\n";

    (void)state;
    instead("t.csv", pandas, SET(.label_column = "1", .text_column = "2"),
            "label_column: 1 was taken for a number, that of column 1 \"0\"; the column named so is number 2: write "
            "that if it is meant");
    instead("t.csv", pandas, JUDGED, NULL);
    instead("t.csv", "1,2\na good film it is,pos\nbad,neg\n", SET(.label_column = "2", .has_header = SP_YES),
            NULL);
    refuses("t.csv", REVIEWS, SET(.label_column = "Urteil"),
            "no column \"Urteil\"; the file has: the film was good, pos. Its first row was taken for a header because "
            "a column is asked for by name; where it is none, give the column's number");
    /* Names that training's file had stand for its numbers, where this one names none. */
    finds("t.csv", REVIEWS, SET(.label_column = "Urteil", .remembered = &named, .labels = &reviews), "1 - 2 , 4");
    instead("t.csv", REVIEWS, SET(.label_column = "Urteil", .remembered = &named, .labels = &reviews),
            "training used column \"Urteil\", and this file names no columns; read instead: column 2; "
            "training used column \"Nachricht\", and this file names no columns; read instead: column 1");
    finds("t.csv", REVIEWS,
          SET(.label_column = "Urteil", .text_column = "Nachricht", .has_header = SP_NO, .remembered = &named,
              .labels = &reviews),
          "1 - 2 , 4");
    finds("t.csv", REVIEWS, SET(.label_column = "2", .remembered = &named, .labels = &reviews), "1 - 2 , 4");
    finds("t.csv", REVIEWS, INPUT(.text_column = "Nachricht", .remembered = &named, .labels = &reviews), "1 - 2 , 4");
    finds("t.csv", "Urteil,Nachricht\npos,a b\nneg,b a\n",
          SET(.label_column = "Urteil", .remembered = &named, .labels = &reviews), "Nachricht - Urteil H, 2");
    refuses("t.csv", "Text,Wert\n" TEN("the film was good,pos\nit was bad,neg\n"),
            SET(.label_column = "Urteil", .remembered = &named, .labels = &reviews),
            "no column \"Urteil\"; the file has: Text, Wert");
    refuses("t.csv", "the film was good,long\nit was bad,short\n",
            SET(.label_column = "Urteil", .remembered = &named, .labels = &reviews),
            "no column \"Urteil\"; the file has: the film was good, long. Its first row was taken for a header "
            "because");
    refuses("t.csv", REVIEWS, SET(.label_column = "Urteile", .remembered = &named, .labels = &reviews),
            "no column \"Urteile\"");
    refuses("t.csv", "Text,Urteil\n" TEN("the film was good,pos\nit was bad,neg\n"), SET(.label_column = "Urteile"),
            "the file has: Text, Urteil");
    refuses("t.csv", "3,Wall St. Bears,They are back\n4,Oil prices,They soar again\n", SET(.label_column = "1"),
            "2: text, such as \"Wall St. Bears\"\n    3: text, such as \"They are back\"");
}

/* A header that stands once more among the rows of files that were joined is no class of two rows. */
static void test_joined(void **state)
{
    struct sp_dataset set;

    (void)state;
    finds("t.csv", "review,sentiment\n" TWICE(REVIEWS) "review,sentiment\n" TWICE(REVIEWS), JUDGED,
          "review - sentiment H, 17");
    finds("t.csv",
          "utterance,klass\n" TWICE(REVIEWS) "utterance,klass\n" TWICE(REVIEWS) "utterance,klass\n" TWICE(REVIEWS),
          JUDGED, "utterance - klass H, 26");
    finds("t.csv", "utterance,klass\n" TWICE(REVIEWS) "the film is good,klass\n" REVIEWS, JUDGED, "1 - 2 , 14");
    finds("t.csv", "the film,pos\n" REVIEWS "the film,pos\n", JUDGED, "1 - 2 , 6");
    finds("t.csv", TEN("well,yes\nnot well,no\n"), JUDGED, "1 - 2 , 20");
    load(&set, "t.csv", "review,sentiment\n" REVIEWS "review,sentiment\n" REVIEWS "review,sentiment\n",
         SET(.label_column = "sentiment"));
    assert_int_equal(set.repeated, 2);
    assert_int_equal(set.first_repeated, 6);
    sp_dataset_free(&set);
    load(&set, "t.csv", "text,pos\n" REVIEWS "text,neg\n", SET(.label_column = "pos"));
    assert_int_equal(set.repeated, 0);
    sp_dataset_free(&set);
}

/* A survey's question above classes, though a sentence stands beside it; and a known name of texts whose label is a
 * class. */
static void test_questions(void **state)
{
#define SURVEY "very content,it was good\nnot content,the film was bad\n"
#define SPAM "the film was good,ham\nit was bad film,spam\n"
    (void)state;
    finds("t.csv", "How do you rate us?,\"Please say why, in your own words.\"\n" TEN(SURVEY), SET(.label_column = "1"),
          "Please say why, in your own words. - How do you rate us? H, 20");
    finds("t.csv", "science and technology news,\"It was good, in my own words.\"\n" TEN(SURVEY),
          SET(.label_column = "1"), "2 - 1 , 21");
    instead("t.csv", "How do you rate us?,\"Please say why, in your own words.\"\n" TEN(SURVEY),
            SET(.label_column = "1"),
            "its first row was read as a header, though \"How do you rate us?\" may be a label; if it is, set "
            "has_header: false");
    finds("t.csv", "very very content,\"It was good, in my own words.\"\n" TEN(SURVEY), SET(.label_column = "1"),
          "2 - 1 , 21");
    finds("t.csv", "message,spam\n" TEN(SPAM), SET(.label_column = "2"), "message - spam H, 20");
    instead("t.csv", "message,spam\n" TEN(SPAM), SET(.label_column = "2"),
            "its first row was read as a header, though \"spam\" may be a label; if it is, set has_header: false");
    finds("t.csv", "shout,spam\n" TEN(SPAM), SET(.label_column = "2"), "1 - 2 , 21");
}

/* R's write.table names all columns but that of the rows' names, which are numbers. */
static void test_row_names(void **state)
{
    static const char *const ids[] = { "id", "ID", "Nr.", "review_id", "PhraseId", "Unnamed: 0", "#", "", "ticket" };
    const struct sp_data_layout trained = used("text", 2, NULL, 0, "label", 3, 3);
    struct sp_dataset set;

    (void)state;
    finds("t.csv", "text,label\n1,the film was good,pos\n2,bad film,neg\n", PLAIN, "text - label H, 2");
    finds("t.csv", "\"text\",\"label\"\n\"17\",\"the film, was good\",1\n\"4\",\"bad film\",0\n", PLAIN,
          "text - label H, 2");
    finds("t.tsv", "\"text\"\t\"label\"\n\"1\"\t\"the film\"\t\"pos\"\n\"2\"\t\"bad film\"\t\"neg\"\n", PLAIN,
          "text - label H\t 2");
    finds("t.csv", "\"text\" \"label\"\n\"1\" \"the film\" \"pos\"\n\"2\" \"bad film\" \"neg\"\n",
          SET(.delimiter = ' '), "text - label H  2");
    finds("t.csv", "text;label\n1;the film was good;pos\n2;bad film;neg\n", PLAIN, "text - label H; 2");
    finds("t.tsv", "text\tlabel\n17\tthe film was good\tpos\n4\tbad film\tneg\n", PLAIN, "text - label H\t 2");
    instead("t.tsv", "text\tlabel\n17\tthe film was good\tpos\n4\tbad film\tneg\n", PLAIN,
            "its rows have a field more than its header, and the first one of each was passed over as the row's name; "
            "where it is none, and a text or number was cut at a delimiter, write that in quotes");
    finds("t.csv", "text;label\n101;the film was good;pos\n7;bad film;neg\n", PLAIN, "text - label H; 2");
    finds("t.csv", "label;text\n5;pos;the film was good\n6;neg;bad film\n", INPUT(.remembered = &trained),
          "text - label H; 2");
    finds("t.csv", "said\n1,the film was good\n2,bad film\n", INPUT(0), "said - - H, 2");
    finds("t.csv", "said\n1,the film was good\n2,bad film\n", INPUT(.remembered = &trained), "said - - H, 2");
    finds("t.csv", "label,text\n\"5\",pos,the film was good\n\"6\",neg,bad film\n", INPUT(.remembered = &trained),
          "text - label H, 2");
    finds("t.tsv", "label\ttext\n5\tpos\tthe film was good\n6\tneg\tbad film\n", INPUT(.remembered = &trained),
          "text - label H\t 2");
    finds("t.csv", "text,label,votes\n1,the film was good,3,5\n2,bad film,4,7\n", PLAIN, "text - label H, 2");
    finds("t.csv", "id,text,label\n1,17,the film was good,3\n2,4,bad film,4\n", PLAIN, "text - label H, 2");
    finds("t.csv", "id,text,label\n\"1\",17,the film was good,3\n\"2\",4,bad film,4\n", PLAIN, "text - label H, 2");
    finds("t.csv", "text, label\n1, the film was good, 3\n2, bad film, 4\n", PLAIN, "text - label H, 2");
    load(&set, "t.csv", "text,label\n1,the film was good,pos\n2,bad film,neg\n", PLAIN);
    assert_true(set.row_names && set.header_guessed);
    assert_int_equal(set.layout.columns, 3);
    assert_int_equal(set.layout.text.number, 2);
    sp_dataset_free(&set);
    load(&set, "t.csv", ",text,label\n1,the film was good,pos\n2,bad film,neg\n", PLAIN);
    assert_true(!set.row_names);
    sp_dataset_free(&set);
    /* The first field may be a part of a text, or is one of a row without names; a row that is odd is told of. */
#define LIST                                                                                                           \
    "t.csv:2: 2 columns, where the header has 1; where each line is one text, write it in quotes, set delimiter: tab"
#define BAD(content, options, part) \
    io_assert_error(sp_dataset_load(&set, io_write_text("t.csv", content), tokenizer, options), SP_EFORMAT, part, NULL)
    BAD("text,label\nwell, a film,pos\nno, film,neg\n", PLAIN, "t.csv:2: 3 columns, where the header has 2");
    BAD("text,label\na b,pos\nb c,neg\na, well, c,pos\n", PLAIN,
        "the header has 2; a field that holds the delimiter is written in double quotes");
    BAD("stars;review\n5;great; but pricey\n3;good; but loud\n", PLAIN, "t.csv:2: 3 columns, where the header has 2");
    BAD("text,label\n1,a film,pos\n1,film,neg\n", PLAIN, "t.csv:2: 3 columns, where the header has 2");
    BAD("text,label\n1,a film,pos\nfilm,neg\n", PLAIN, "t.csv:2: 3 columns, where the header has 2");
    BAD("label,text\n5,pos,a film\n6,neg,a b\n", PLAIN, "t.csv:2: 3 columns, where the header has 2");
    /* Ids under a header that is whole, before a text or a number that holds a comma. */
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char file[256];

        snprintf(file, sizeof file, "%s,text,label\n1,a film,3,5\n2,a b,-2,1\n3,b a,0,4\n", ids[i]);
        BAD(file, SET(.label_column = "label"),
            "t.csv:2: 4 columns, where the header has 3; where a number has a decimal comma");
        snprintf(file, sizeof file, "%s,label,text\n1,3,5,a film\n2,-2,1,a b\n3,0,4,b a\n", ids[i]);
        BAD(file, PLAIN, "t.csv:2: 4 columns, where the header has 3; where a number has a decimal comma");
        snprintf(file, sizeof file, "%s,text,label\n1,a film, of old,x\n2,a b, b a,y\n3,b, a,y\n", ids[i]);
        BAD(file, PLAIN,
            "t.csv:2: 4 columns, where the header has 3; a field that holds the delimiter is written in double quotes");
        snprintf(file, sizeof file, "%s,text\n1,a film, of old\n2,a b, b a\n", ids[i]);
        BAD(file, INPUT(.remembered = &trained), "t.csv:2: 3 columns, where the header has 2");
    }
    BAD("text,label\n\"1\",a film,\n\"2\",a b,\n", PLAIN, "where rows end in a delimiter, the header must, too");
    BAD("ticket,text\n1,a film,\n2,a b,\n", INPUT(.remembered = &trained),
        "where rows end in a delimiter, the header must, too");
    BAD("PhraseId,text\n1,a film,of old\n2,a b,b a\n", INPUT(.remembered = &trained),
        "t.csv:2: 3 columns, where the header has 2");
    BAD("text\n1, a film of old\n2, a b\n", INPUT(.remembered = &trained), LIST);
    BAD("text\na film, of old\nb, a b\n", INPUT(.remembered = &trained), LIST);
    BAD("a film,pos\n1,a film,pos\n2,film,neg\n", SET(.has_header = SP_NO, .label_column = "2"),
        "t.csv:2: 3 columns, where the first row has 2");
#undef BAD
#undef LIST
}

/* Tables as Markdown and terminals draw them. */
static void test_drawn(void **state)
{
    static const char *const drawn[] = {
        "| text | label |\n|------|:-----:|\n| a b | x |\n| c d | y |\n",
        "|text|label|\n|-|-|\n|a b|x|\n|c d|y|\n",
        "text | label\n:--|--:\na b | x\nc d | y\n",
        " text | label \r\n------+-------\r\n a b | x\r\n c d | y\r\n",
        "+------+-------+\n| text | label |\n+------+-------+\n| a b  | x     |\n| c d | y |\n+------+-------+\n",
    };
    static const char *const dashed[] = {
        "text,label\n----,-----\na b,1.5\nc d,2.5\n",
        "id;text;label\r\n--;----;-----\r\n1;a b;x\r\n2;c d;y\r\n",
        "text      \tlabel\n----------\t-----\na b\tx\nc d\ty\n",
        "text , label\n---- , -----\na b , x\nc d , y\n",
    };
    struct sp_dataset set;

    (void)state;
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++)
        for (size_t tsv = 0; tsv < 2; tsv++)
            io_assert_error(sp_dataset_load(&set, io_write_text(tsv ? "t.tsv" : "t.csv", drawn[i]), tokenizer, PLAIN),
                            SP_EFORMAT,
                            i < 4 ? "v:2: a rule, as Markdown and terminals draw it" : "v:1: a rule, as Markdown",
                            "sed '/^[-+|:= ]*$/d; s/^ *| *//; s/ *| *$//' <OLD >NEW", NULL);
    for (size_t i = 0; i < sizeof dashed / sizeof *dashed; i++)
        io_assert_error(sp_dataset_load(&set, io_write_text("t.csv", dashed[i]), tokenizer, PLAIN), SP_EFORMAT,
                        "t.csv:2: a rule of dashes, as sqlcmd draws it", "remove it: sed 2d <OLD >NEW", NULL);
    /* Texts that look so. */
    finds("t.csv", "text\n:-|\n:-|\n=|\n", INPUT(0), "text - - H, 3");
    finds("t.csv", "text\nhm, :-|\n:-|\n=|\n", INPUT(.delimiter = '\t'), "text - - H\t 3");
    finds("t.csv", "text,label\n\"| a | b |\n|---|---|\n| c | d |\",x\na b,y\n", PLAIN, "text - label H, 2");
    finds("t.csv", "text,label\n-,-\na b,x\n", PLAIN, "text - label H, 2");
    finds("t.csv", "text | label\na b | x\nc d | y\n", PLAIN, "text - label H| 2");
    finds("t.csv", "text|label\n-|x\na b|-\n", PLAIN, "text - label H| 2");
    finds("t.csv", "text|label\n-|-\na b|x\n", PLAIN, "text - label H| 2");
    finds("t.csv", "text,label\n---,x\na b,-\n", PLAIN, "text - label H, 2");
    finds("t.jsonl", "{\"text\":\"|---|\",\"label\":1}\n{\"text\":\"a\",\"label\":0}\n", PLAIN, "text - label j 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_other_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_class_as_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_header_as_class, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(test_questions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_row_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drawn, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
