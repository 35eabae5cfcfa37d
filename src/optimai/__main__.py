from optimai.cli import main

main()
