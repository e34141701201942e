"""Define the rules for American and British English: numbers, dates, money, units, abbreviations, links and names."""
